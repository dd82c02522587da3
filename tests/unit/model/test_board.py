"""The board: the last row of every agent and task, whatever came before.

host/model/board.py, against a model that keeps rows in a dict.
"""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.model.board import MAX_FINISHED, Board
from host.model.event import TERMINAL, AgentEvent, Event, GapEvent, TaskEvent

NOW = "2026-11-23T12:00:00.000Z"


def task(
    task_id: str = "t1", status: str = "running", *, agent: str = "carly", n: int = 0
) -> TaskEvent:
    return TaskEvent(
        agent=agent,
        task_id=task_id,
        context_id=None,
        status=status,
        state="TASK_STATE_WORKING",
        progress=n,
        message=None,
        at=None,
        received_at=NOW,
    )


def agent(name: str = "carly", connection: str = "connected") -> AgentEvent:
    return AgentEvent(
        agent=name, url="http://127.0.0.1:1", connection=connection, received_at=NOW
    )


def board(*events: Event) -> Board:
    built = Board()
    for event in events:
        built.fold(event)
    return built


def test_the_last_row_of_a_task_wins() -> None:
    built = board(task(n=1), task(n=2))

    assert built.task("carly", "t1") == task(n=2)
    assert list(built.tasks()) == [task(n=2)]


def test_agents_stand_in_the_order_that_is_given_and_the_others_behind() -> None:
    built = board(agent("host"), agent("walter"), agent("carly"))

    built.put_first(["carly", "nobody", "walter"])

    assert list(built.agents) == ["carly", "walter", "host"]
    assert built.agents["carly"] == agent("carly")


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_a_task_that_ended_is_no_longer_open_but_still_there(status: str) -> None:
    built = board(task(), task(status=status))

    assert built.open_tasks() == []
    assert list(built.tasks()) == [task(status=status)]


def test_tasks_of_two_agents_with_one_id_are_two_tasks() -> None:
    built = board(task(agent="carly"), task(agent="walter"))

    assert built.open_tasks("carly") == [task(agent="carly")]
    assert len(built.open_tasks()) == 2


def test_an_unknown_task_is_none() -> None:
    assert board(task()).task("walter", "t1") is None


def test_the_last_row_of_an_agent_wins() -> None:
    built = board(agent(connection="connecting"), agent("walter"), agent())

    assert built.agents == {"carly": agent(), "walter": agent("walter")}


def test_an_agent_that_was_removed_keeps_its_row_and_its_tasks() -> None:
    built = board(agent(), task(), agent(connection="removed"))

    assert built.agents == {"carly": agent(connection="removed")}
    assert built.task("carly", "t1") == task()


def test_a_gap_changes_nobodys_row() -> None:
    gap = GapEvent(
        agent="carly", task_id="t1", context_id=None, message="?", received_at=NOW
    )
    built = board(task(), agent(), gap)

    assert list(built.tasks()) == [task()]
    assert built.agents == {"carly": agent()}


def test_only_the_newest_finished_tasks_are_kept_and_every_open_one() -> None:
    many = [task(f"t{n}", "completed") for n in range(MAX_FINISHED + 10)]
    built = board(task("open"), *many)

    assert list(built.tasks()) == [*many[10:], task("open")]


statuses = st.sampled_from(["submitted", "running", "input-required", "completed"])
some_events = st.lists(
    st.builds(
        task,
        st.sampled_from(["t1", "t2", "t3"]),
        statuses,
        agent=st.sampled_from(["carly", "walter"]),
        n=st.integers(0, 9),
    )
    | st.builds(agent, st.sampled_from(["carly", "walter"])),
    max_size=20,
)


@settings(derandomize=True, deadline=None)
@given(some_events)
def test_each_task_has_exactly_one_row_the_last(events: list[Event]) -> None:
    last = {
        (event.agent, event.task_id): event
        for event in events
        if isinstance(event, TaskEvent)
    }
    built = board(*events)

    shown = list(built.tasks())
    assert len(shown) == len(last)
    assert {(row.agent, row.task_id): row for row in shown} == last
    assert all(built.task(*key) == row for key, row in last.items())
    assert {(r.agent, r.task_id) for r in built.open_tasks()} == {
        key for key, row in last.items() if row.is_open
    }


@settings(derandomize=True, deadline=None)
@given(some_events)
def test_a_board_restored_from_its_checkpoint_is_the_same_board(
    events: list[Event],
) -> None:
    before, after = board(*events), Board()
    after.restore(before.checkpoint())

    assert after.agents == before.agents
    assert list(after.tasks()) == list(before.tasks())
    assert after.checkpoint() == before.checkpoint()


@pytest.mark.parametrize("other", [b"{}", b'{"agents": 1, "tasks": []}', b"[]"])
def test_what_is_no_checkpoint_is_refused(other: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        Board().restore(other)
