"""Tests of host/model/filter.py: an event must match each field that a filter names."""

from __future__ import annotations

import pytest

from host.model.filter import ALL, Filter, Place

EVENT = Place("carly", "t1", "c1", "task")
AGENT_EVENT = Place("carly", None, None, "agent")


def only(**names: str) -> Filter:
    sets = {sort: frozenset(text.split()) for sort, text in names.items()}
    return Filter(**sets)


@pytest.mark.parametrize("event", [EVENT, AGENT_EVENT])
def test_empty_filter_matches_every_event(
    event: Place,
) -> None:
    assert ALL.matches(event)


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        (only(agent="carly"), True),
        (only(agent="walter carly"), True),
        (only(agent="walter"), False),
        (only(task="t1"), True),
        (only(task="t2"), False),
        (only(context="c1"), True),
        (only(context="c2"), False),
        (only(kind="task gap"), True),
        (only(kind="agent"), False),
        (only(agent="carly", task="t1", context="c1", kind="task"), True),
        (only(agent="carly", task="t1", context="c1", kind="gap"), False),
        (only(agent="walter", task="t1"), False),
    ],
)
def test_event_matches_if_each_named_field_has_its_value(
    where: Filter, wanted: bool
) -> None:
    assert where.matches(EVENT) is wanted


@pytest.mark.parametrize("where", [only(task="t1"), only(context="c1")])
def test_task_filter_excludes_events_without_a_task(where: Filter) -> None:
    assert not where.matches(AGENT_EVENT)
