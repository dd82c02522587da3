"""When a task is stalled, and what ends that. The agent is scripted by the test."""

from __future__ import annotations

import pytest
from a2a.utils.errors import InternalError
from msgspec.structs import replace

from host.clients.bindings.types import Update
from host.errors import AgentUnreachable
from host.following import stall_check
from host.log.contract import Entry
from host.log.memory_log import MemoryLog
from host.merging.task_news import format_seconds
from host.model.event import NoticeEvent, TaskEvent
from host.model.timestamps import now, seconds_since
from host.protocol.a2a_objects import RESUMABLE
from tests.support.scripted_agent import (
    chunk,
    make_status,
    make_update,
    read_events,
    status,
    task,
)
from tests.support.silent_agent import SOON_S, OpenConnection, follow

LONG_S = 3600.0
LONG_AGO = "2026-11-22T12:00:00.000Z"
WORKING = task("WORKING", "one")


async def test_silent_task_is_marked_once_and_its_next_status_unmarks_it() -> None:
    connection = OpenConnection(WORKING)
    async with follow(connection) as run:
        await run.until("one", "stalled", "one stalled")
        await run.check()
        await connection.push(status("WORKING", "two"))
        lines = ["one", "stalled", "one stalled", "resumed", "two"]
        await run.until_lines(*lines)
        events = await read_events(run.feed)

    first, _, marked, _, after = events
    assert isinstance(first, TaskEvent) and isinstance(marked, TaskEvent)
    assert marked.stalled_since == first.received_at
    assert replace(marked, stalled_since=first.stalled_since, received_at="") == (
        replace(first, received_at="")
    )
    assert isinstance(after, TaskEvent) and after.is_update


async def test_artifact_after_silence_comes_after_a_row_that_is_not_stalled() -> None:
    connection = OpenConnection(WORKING)
    async with follow(connection) as run:
        await run.until("one", "stalled", "one stalled")
        await connection.push(chunk("A"))
        lines = ["one", "stalled", "one stalled", "resumed", "one", "chunk A"]
        await run.until_lines(*lines)
        row = run.feed.board.task("carly", "t1")

    assert row and row.stalled_since is None and not row.is_update


async def test_task_can_be_stalled_again() -> None:
    connection = OpenConnection(WORKING)
    async with follow(connection) as run:
        await run.until("one", "stalled", "one stalled")
        await connection.push(status("WORKING", "two"))
        again = ["two", "stalled", "two stalled"]
        await run.until("one", "stalled", "one stalled", "resumed", *again)


async def test_repeated_task_is_no_news() -> None:
    connection = OpenConnection(WORKING)
    async with follow(connection) as run:
        for _ in range(3):
            await connection.push(WORKING)
        await run.until("one", "stalled", "one stalled")
        await connection.push(WORKING)
        await run.check()

        assert await run.lines() == ["one", "stalled", "one stalled"]


async def test_repeated_task_with_a_newer_time_is_no_news() -> None:
    connection = OpenConnection(task_at(0))
    async with follow(connection) as run:
        for second in range(1, 6):
            connection.task = task_at(second)
            await connection.push(task_at(second))
        await run.until("one", "stalled", "one stalled")
        connection.task = task_at(9)
        await connection.push(task_at(9))
        await run.check()

        assert await run.lines() == ["one", "stalled", "one stalled"]


def task_at(second: int) -> Update:
    """Build the same Task with the time of `second`."""
    working = make_status("WORKING", "one")
    working["timestamp"] = f"2026-11-23T12:00:{second:02}.000Z"
    return make_update({"task": {"id": "t1", "status": working}})


async def test_agent_is_asked_before_a_task_is_stalled() -> None:
    connection = OpenConnection(WORKING)
    async with follow(connection) as run:
        await run.until_lines("one")
        connection.task = task("COMPLETED", "done", "one")
        await run.until_last("done")

        assert "stalled" not in await run.lines()


@pytest.mark.parametrize("state", ["INPUT_REQUIRED", "AUTH_REQUIRED"])
async def test_task_that_waits_for_an_answer_is_not_stalled(state: str) -> None:
    connection = OpenConnection(task(state, "Send?"))
    async with follow(connection) as run:
        await run.check(10)

        assert await run.lines() == ["Send?"]
        connection.task = task("WORKING", "Sending", "Send?")
        await connection.push(status("WORKING", "Sending"))
        await run.until("Send?", "Sending", "stalled", "Sending stalled")


async def test_zero_turns_it_off() -> None:
    connection = OpenConnection(WORKING)
    async with follow(connection, after_s=0) as run:
        await run.check(10)

        assert await run.lines() == ["one"]
        assert connection.reads == 0


@pytest.mark.parametrize("error", [AgentUnreachable("refused"), InternalError()])
async def test_task_is_not_stalled_while_its_agent_cannot_be_read(
    error: Exception,
) -> None:
    """A host that comes back must read first: the agent may be done long since."""
    log = MemoryLog()
    async with follow(OpenConnection(WORKING), LONG_S, log=log) as run:
        await run.until_lines("one")
    connection = OpenConnection(WORKING)
    connection.task = error
    async with follow(connection, log=log) as run:
        await run.check(10)

        assert await run.lines() == ["one"]
        assert connection.reads


async def test_broken_get_task_does_not_hide_a_silent_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stall_check, "RETRY_S", 0.0)
    connection = OpenConnection(WORKING)
    async with follow(connection) as run:
        await run.until_lines("one")
        connection.task = InternalError()
        await run.until("one", "stalled", "one stalled")

    assert connection.reads >= stall_check.MAX_FAILURES


async def test_clock_continues_over_a_restart_of_the_host() -> None:
    log = MemoryLog()
    row = TaskEvent(
        agent="carly",
        task_id="t1",
        context_id=None,
        status="running",
        state="TASK_STATE_WORKING",
        progress=None,
        message="one",
        message_id="one",
        at=None,
        received_at=LONG_AGO,
    )
    await log.append([Entry.of("carly/t1", 1, row)])
    async with follow(OpenConnection(WORKING), LONG_S, log) as run:
        await run.until("one", "stalled", "one stalled")
        notice = (await read_events(run.feed))[1]

    assert isinstance(notice, NoticeEvent)
    days = int(seconds_since(LONG_AGO) // 86_400)
    assert notice.message == f"no update for {days} d"

    connection = OpenConnection(WORKING)
    async with follow(connection, SOON_S, log) as run:
        await run.check()
        assert await run.lines() == ["one", "stalled", "one stalled"]
        await connection.push(status("WORKING", "two"))
        lines = ["one", "stalled", "one stalled", "resumed", "two"]
        await run.until_lines(*lines)
        resumed = (await read_events(run.feed))[3]

    assert isinstance(resumed, NoticeEvent)
    assert resumed.message == f"an update came after {days} d"


async def test_notices_leave_the_numbers_of_the_agent_alone() -> None:
    log = MemoryLog()
    connection = OpenConnection(WORKING, resumable=True)
    async with follow(connection, log=log) as run:
        await connection.push(status("WORKING", "one", 1))
        await connection.push(numbered_chunk("A", 2))
        await run.until("one", "chunk A", "stalled", "one stalled")
        # GetTask would be ahead of a replay.
        assert connection.reads == 0
    again = OpenConnection(WORKING, resumable=True)
    async with follow(again, log=log) as run:
        await again.push(status("WORKING", "three", 3))
        lines = ["one", "chunk A", "stalled", "one stalled", "resumed", "three"]
        await run.until_lines(*lines)

    assert again.asked == [2]
    updates = [row.version for row in await log.read(0, 99) if row.version]
    assert updates == [1, 2, 3]


def numbered_chunk(text: str, sequence: int) -> Update:
    artifact = {"artifactId": "a", "parts": [{"text": text}]}
    metadata = {RESUMABLE: {"sequence": sequence}}
    body = {"taskId": "t1", "artifact": artifact, "metadata": metadata}
    return make_update({"artifactUpdate": body})


async def test_failed_task_is_not_stalled_any_more() -> None:
    connection = OpenConnection(WORKING)
    async with follow(connection) as run:
        await run.until("one", "stalled", "one stalled")
        await connection.push(status("FAILED", "broken"))
        await run.until_last("broken")
        row = run.feed.board.task("carly", "t1")

    assert row and not row.is_stalled and row.is_update


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (300, "5 min"),
        (7199, "1 h"),
        (90_000, "1 d"),
    ],
)
def test_span_has_one_unit(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text


def test_seconds_since_an_odd_time_are_zero() -> None:
    assert seconds_since("") == seconds_since("yesterday") == 0
    assert seconds_since("2999-01-01T00:00:00.000Z") == 0
    assert 0 <= seconds_since(now()) < 30
