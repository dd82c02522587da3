"""Which events a reader wants: any of the named ones, of each sort named.

host/model/filter.py, against the sentence above.
"""

from __future__ import annotations

import pytest

from host.model.filter import ALL, Filter, Place

EVENT = Place("carly", "t1", "c1", "task")
AGENT_EVENT = Place("carly", None, None, "agent")


def some(**names: str) -> Filter:
    sets = {sort: frozenset(text.split()) for sort, text in names.items()}
    return Filter(**sets)


@pytest.mark.parametrize("event", [EVENT, AGENT_EVENT])
def test_without_a_filter_every_event_is_wanted(
    event: Place,
) -> None:
    assert ALL.matches(event)


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        (some(agent="carly"), True),
        (some(agent="walter carly"), True),
        (some(agent="walter"), False),
        (some(task="t1"), True),
        (some(task="t2"), False),
        (some(context="c1"), True),
        (some(context="c2"), False),
        (some(kind="task gap"), True),
        (some(kind="agent"), False),
        (some(agent="carly", task="t1", context="c1", kind="task"), True),
        (some(agent="carly", task="t1", context="c1", kind="gap"), False),
        (some(agent="walter", task="t1"), False),
    ],
)
def test_an_event_is_wanted_when_every_sort_named_has_it(
    where: Filter, wanted: bool
) -> None:
    assert where.matches(EVENT) is wanted


@pytest.mark.parametrize("where", [some(task="t1"), some(context="c1")])
def test_an_event_without_a_task_is_not_of_a_named_one(where: Filter) -> None:
    assert not where.matches(AGENT_EVENT)
