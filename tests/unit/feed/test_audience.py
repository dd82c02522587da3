"""Tests which agents have readers of their events."""

from __future__ import annotations

from host.feed.audience import Audience
from host.model.filter import ALL


def test_reader_watches_all_agents_or_those_it_filters() -> None:
    audience = Audience()
    only_carly = ALL._replace(agent=frozenset({"carly"}))

    with audience.join(only_carly):
        assert audience.watches("carly")
        assert not audience.watches("logan")
        with audience.join(ALL):
            assert audience.watches("logan")
        assert not audience.watches("logan")
    assert not audience.watches("carly")


def test_each_new_reader_is_announced() -> None:
    audience, calls = Audience(), []

    with (
        audience.call_at_join(lambda: calls.append("join")),
        audience.join(ALL),
        audience.join(ALL),
    ):
        pass
    with audience.join(ALL):
        pass

    assert calls == ["join", "join"]
