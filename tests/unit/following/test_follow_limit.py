"""Tests which tasks go first when an agent has too many."""

from __future__ import annotations

from host.following.follow_limit import MAX_ASKED, MAX_ENDING, FollowLimit
from host.model.event import TaskEvent
from tests.support.scripted_list import WORKING, format_timestamp, listed


def row(task_id: str, second: int) -> TaskEvent:
    return TaskEvent(
        agent="carly",
        task_id=task_id,
        context_id=None,
        status="running",
        state=WORKING,
        progress=None,
        message=None,
        at=format_timestamp(second),
        received_at=format_timestamp(second),
    )


def test_newest_tasks_are_chosen() -> None:
    rows = [row(f"t{n}", n) for n in range(9)]
    assert FollowLimit(3).choose(rows) == ["t8", "t7", "t6"]


def test_tasks_that_somebody_uses_are_chosen_first() -> None:
    limit = FollowLimit(3)
    limit.ask("t1")
    assert limit.choose([row(f"t{n}", n) for n in range(9)]) == ["t1", "t8", "t7"]


def test_newer_task_replaces_the_oldest_that_nobody_uses() -> None:
    limit = FollowLimit(3)
    limit.ask("t1")
    followed = [(f"t{n}", format_timestamp(n)) for n in (1, 2, 3)]
    assert limit.find_older(listed("new", 4, WORKING), followed) == "t2"


def test_older_task_replaces_none() -> None:
    followed = [(f"t{n}", format_timestamp(n)) for n in (5, 6, 7)]
    assert FollowLimit(3).find_older(listed("old", 4, WORKING), followed) is None


def test_tasks_are_replaced_slowly() -> None:
    limit = FollowLimit(3)
    followed = [("t1", format_timestamp(1))]
    replaced = [
        limit.find_older(listed(f"new{n}", 9, WORKING), followed) for n in range(500)
    ]
    assert 50 <= sum(one is not None for one in replaced) < 100


def test_finished_tasks_have_some_room_over_the_limit() -> None:
    limit = FollowLimit(3)
    assert not limit.has_room(3)
    assert limit.has_room(3, is_ending=True)
    assert not limit.has_room(3 + MAX_ENDING, is_ending=True)


def test_tasks_that_somebody_used_long_ago_are_forgotten() -> None:
    limit = FollowLimit(1)
    for number in range(MAX_ASKED + 1):
        limit.ask(f"t{number}")
    rows = [row("t0", 1), row("t1", 0)]
    assert limit.choose(rows) == ["t1"]


def test_trouble_says_what_to_do() -> None:
    limit = FollowLimit(2_000)
    assert limit.describe(None) is None
    limit.has_room(2_000)
    said = limit.describe(None)
    assert said
    assert "over 2,000 of its tasks are open" in said
    assert "raise max_tasks" in said
