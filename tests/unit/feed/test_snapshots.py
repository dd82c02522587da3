"""Tests of host/feed/snapshots.py: snapshots have a limit, and readers share them."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from msgspec import UNSET

from host.feed.snapshots import (
    MAX_AGENT_BYTES,
    MAX_SNAPSHOT_BYTES,
    MAX_SNAPSHOTS,
    MAX_TEXT_BYTES,
    PIECE_BYTES,
    SharedSnapshot,
    Snapshots,
)
from host.model.board import Board
from host.model.event import AgentEvent, Event, Skill, Snapshot, TaskEvent
from host.model.filter import ALL, Filter

NOW = "2026-11-23T12:00:00.000Z"
KILOBYTE = 1_000


def task(
    task_id: str, status: str = "running", text: str = "m", agent: str = "carly"
) -> TaskEvent:
    return TaskEvent(
        agent=agent,
        task_id=task_id,
        context_id="c1",
        status=status,
        state="TASK_STATE_WORKING",
        progress=50,
        message=text,
        result=text if status == "completed" else UNSET,
        message_id="m1",
        at=NOW,
        received_at=NOW,
    )


def agent(name: str, skills: int = 0) -> AgentEvent:
    each = Skill("s1", "Plan", "x" * KILOBYTE, [])
    return AgentEvent(
        agent=name,
        url="http://127.0.0.1:1",
        connection="connected",
        trouble="y" * KILOBYTE if skills else None,
        skills=[each] * skills,
        received_at=NOW,
    )


def board_of(*events: Event) -> Board:
    board = Board()
    for event in events:
        board.fold(event)
    return board


def read(shared: SharedSnapshot, reset: str | None = None) -> Snapshot:
    """Check the frame and its size, and decode it."""
    pieces = list(shared.frame("e1", reset))
    data = b"".join(pieces)
    head, event_id, body, *rest = data.split(b"\n")
    assert (head, event_id) == (b"event: snapshot", b"id: e1-%d" % shared.id)
    assert rest == [b"", b""]
    assert len(data) <= MAX_SNAPSHOT_BYTES
    assert max(map(len, pieces[1:]), default=0) <= PIECE_BYTES
    return msgspec.json.decode(body.removeprefix(b"data: "), type=Snapshot)


def test_snapshot_has_all_agents_and_tasks_of_a_small_board() -> None:
    board = board_of(agent("carly", 2), task("t1", "completed"), task("t2"))

    snapshot = read(Snapshots().get(board, 7), reset="the log is another")

    assert snapshot.agents == list(board.agents.values())
    assert snapshot.tasks == list(board.tasks())
    assert (snapshot.id, snapshot.epoch) == (7, "e1")
    assert (snapshot.reset, snapshot.reason) == (True, "the log is another")
    assert snapshot.tasks_left_out is UNSET


def test_readers_at_the_same_event_share_the_same_bytes() -> None:
    board = board_of(*(task(f"t{n}", text="x" * 400) for n in range(400)))
    snapshots = Snapshots()

    one, other = (list(snapshots.get(board, 1).frame("e1", None)) for _ in range(2))

    assert len(one) > 3
    assert all(a is b for a, b in zip(one[1:], other[1:], strict=True))


def test_new_event_is_in_the_next_snapshot() -> None:
    board, snapshots = board_of(task("t1", text="before")), Snapshots()
    snapshots.get(board, 1)
    board.fold(task("t1", text="after"))

    assert [row.message for row in read(snapshots.get(board, 2)).tasks] == ["after"]


@pytest.mark.parametrize("text", ["x", "\u20ac", "\U0001f600", "a\u20ac"])
def test_thousand_tasks_with_long_texts_fit_without_their_whole_texts(
    text: str,
) -> None:
    long = text * 3 * KILOBYTE
    board = board_of(*(task(f"t{n:04}", "completed", long) for n in range(1_000)))

    snapshot = read(Snapshots().get(board, 1))

    assert (len(snapshot.tasks), snapshot.tasks_left_out) == (1_000, UNSET)
    row = snapshot.tasks[0]
    size = len(long.encode())
    assert row.shortened == {"message": size, "result": size}
    assert row.message == row.result != long
    assert long.startswith(row.message or "?")
    assert MAX_TEXT_BYTES - 4 < len((row.message or "").encode()) <= MAX_TEXT_BYTES


def test_texts_that_grow_as_json_leave_the_oldest_finished_tasks_out() -> None:
    text = "\x01" * MAX_TEXT_BYTES
    ended = [task(f"t{n:04}", "completed", text) for n in range(1_000)]
    still_open = [task(f"open{n}", text=text) for n in range(20)]

    snapshot = read(Snapshots().get(board_of(*still_open, *ended), 1))

    count = len(snapshot.tasks)
    assert 200 < count < 1_000
    assert snapshot.tasks_left_out == 1_020 - count
    assert snapshot.tasks == [*ended[1_020 - count :], *still_open]


def test_agent_with_very_many_open_tasks_leaves_room_for_the_others() -> None:
    many = (task(f"t{n}", text="x" * 500) for n in range(10_000))
    others = [task("w1", "completed", agent="walter"), task("n1", agent="nancy")]

    snapshot = read(Snapshots().get(board_of(*others, *many), 1))

    assert set(others) <= set(snapshot.tasks)
    assert snapshot.tasks[-1].task_id == "t9999"


def test_row_with_a_very_long_id_is_left_out_alone() -> None:
    rows = task("t1"), task("x" * 20_000), task("t2")

    snapshot = read(Snapshots().get(board_of(*rows), 1))

    assert snapshot.tasks == [rows[0], rows[2]]
    assert snapshot.tasks_left_out == 1


def test_agent_row_with_very_many_skills_is_shortened_alone() -> None:
    board = board_of(agent("carly", 3), agent("evil", MAX_AGENT_BYTES // KILOBYTE))

    carly, evil = read(Snapshots().get(board, 1)).agents

    assert len(carly.skills) == 3
    assert (evil.agent, evil.skills) == ("evil", [])
    assert evil.trouble == "y" * MAX_TEXT_BYTES


def test_very_many_agents_have_short_rows() -> None:
    board = board_of(*(agent(f"a{n}", 60) for n in range(100)), task("t1"))

    snapshot = read(Snapshots().get(board, 1))

    assert len(snapshot.agents) == 100
    assert len(snapshot.tasks) == 1


def test_readers_that_stall_in_too_many_snapshots_make_the_next_reader_share_one() -> (
    None
):
    board, snapshots, heads = board_of(task("t1")), Snapshots(), itertools.count(1)
    stalled = []
    for _ in range(MAX_SNAPSHOTS):
        stalled.append(snapshots.get(board, next(heads)).frame("e1", None))
        next(stalled[-1])

    assert snapshots.get(board, next(heads)).id == MAX_SNAPSHOTS
    assert list(stalled.pop(0)) == []  # This reader reads on.
    assert snapshots.get(board, 100).id == 100


def test_open_rows_are_events_of_the_tasks_that_match() -> None:
    board = board_of(task("t1"), task("t2", agent="walter"), task("t3", "completed"))
    shared = Snapshots().get(board, 5)

    data = b"".join(shared.open_rows("e1", ALL))
    walters = b"".join(shared.open_rows("e1", Filter(agent=frozenset({"walter"}))))

    assert data.count(b"id: e1-5\n") == 2
    assert b'"task_id":"t1"' in data and b'"task_id":"t3"' not in data
    assert walters.count(b"id: e1-5\n") == 1 and b'"task_id":"t2"' in walters
