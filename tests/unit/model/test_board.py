"""Tests of host/model/board.py: the newest row of every agent and task."""

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


def test_newest_row_of_a_task_wins() -> None:
    built = board(task(n=1), task(n=2))

    assert built.task("carly", "t1") == task(n=2)
    assert list(built.tasks()) == [task(n=2)]


def test_named_agents_come_first_in_the_given_order() -> None:
    built = board(agent("host"), agent("walter"), agent("carly"))

    built.put_first(["carly", "nobody", "walter"])

    assert list(built.agents) == ["carly", "walter", "host"]
    assert built.agents["carly"] == agent("carly")


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_ended_task_is_kept_but_not_open(status: str) -> None:
    built = board(task(), task(status=status))

    assert built.open_tasks() == []
    assert list(built.tasks()) == [task(status=status)]


def test_same_id_at_two_agents_means_two_tasks() -> None:
    built = board(task(agent="carly"), task(agent="walter"))

    assert built.open_tasks("carly") == [task(agent="carly")]
    assert len(built.open_tasks()) == 2


def test_unknown_task_is_none() -> None:
    assert board(task()).task("walter", "t1") is None


def test_newest_row_of_an_agent_wins() -> None:
    built = board(agent(connection="connecting"), agent("walter"), agent())

    assert built.agents == {"carly": agent(), "walter": agent("walter")}


def test_removed_agent_keeps_its_row_and_tasks() -> None:
    built = board(agent(), task(), agent(connection="removed"))

    assert built.agents == {"carly": agent(connection="removed")}
    assert built.task("carly", "t1") == task()


def test_gap_changes_no_row() -> None:
    gap = GapEvent(
        agent="carly", task_id="t1", context_id=None, message="?", received_at=NOW
    )
    built = board(task(), agent(), gap)

    assert list(built.tasks()) == [task()]
    assert built.agents == {"carly": agent()}


def test_board_keeps_open_tasks_and_the_newest_finished_ones() -> None:
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
def test_board_has_exactly_the_newest_row_of_each_task(events: list[Event]) -> None:
    last = {
        (event.agent, event.task_id): event
        for event in events
        if isinstance(event, TaskEvent)
    }
    built = board(*events)

    rows = list(built.tasks())
    assert len(rows) == len(last)
    assert {(row.agent, row.task_id): row for row in rows} == last
    assert all(built.task(*key) == row for key, row in last.items())
    assert {(r.agent, r.task_id) for r in built.open_tasks()} == {
        key for key, row in last.items() if row.is_open
    }


@settings(derandomize=True, deadline=None)
@given(some_events)
def test_checkpoint_restores_the_same_board(
    events: list[Event],
) -> None:
    before, after = board(*events), Board()
    after.restore(before.checkpoint())

    assert after.agents == before.agents
    assert list(after.tasks()) == list(before.tasks())
    assert after.checkpoint() == before.checkpoint()


@pytest.mark.parametrize("other", [b"{}", b'{"agents": 1, "tasks": []}', b"[]"])
def test_invalid_checkpoint_is_refused(other: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        Board().restore(other)
