"""What an agent sends after the end of a task, and ends that nobody sends."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

import anyio
import pytest

from host.clients.bindings.types import Batch, Update
from host.errors import AgentUnreachable
from host.feed.feed import Feed
from host.following import listed_end
from host.log.memory_log import MemoryLog
from host.merging import task_end
from host.model.event import ArtifactEvent, Event, GapEvent, TaskEvent
from host.protocol.a2a_objects import ListedTask
from tests.support.scripted_agent import (
    ScriptedConnection,
    Step,
    chunk,
    follow,
    make_follower,
    make_update,
    read_events,
    status,
    summarize,
    task,
)

DONE = make_update(
    {"statusUpdate": {"taskId": "t1", "status": {"state": "TASK_STATE_COMPLETED"}}}
)
START = task("SUBMITTED", "")


def message(text: str, message_id: str = "m1") -> Update:
    body = {"messageId": message_id, "role": "ROLE_AGENT", "parts": [{"text": text}]}
    return make_update({"message": body})


def whole(
    state: str, text: str, message_text: str = "", message_id: str = ""
) -> Update:
    """A Task with an artifact, or with a message in its history."""
    body: dict[str, object] = {"id": "t1", "status": {"state": f"TASK_STATE_{state}"}}
    if text:
        body["artifacts"] = [{"artifactId": "a", "parts": [{"text": text}]}]
    if message_text:
        parts = [{"text": message_text}]
        body["history"] = [
            {"messageId": message_id, "role": "ROLE_AGENT", "parts": parts}
        ]
    return make_update({"task": body})


def last_row(events: Sequence[Event]) -> TaskEvent:
    return [event for event in events if isinstance(event, TaskEvent)][-1]


def texts(events: Sequence[Event]) -> list[str]:
    parts = [e.parts for e in events if isinstance(e, ArtifactEvent)]
    return [part["text"] for some in parts for part in some]


@pytest.mark.parametrize(
    ("stream", "tasks", "result"),
    [
        # The artifact comes after the end: in one batch, later, or in a Task.
        ([START, Batch([DONE, chunk("late")])], [], "late"),
        ([START, DONE, chunk("late")], [], "late"),
        ([START, DONE, whole("COMPLETED", "late")], [], "late"),
        ([START, DONE, whole("WORKING", "late")], [], "late"),
        # Only GetTask has it.
        ([START, DONE], [whole("COMPLETED", "late")], "late"),
        # The answer is the last message.
        ([START, status("WORKING", "42"), DONE], [], "42"),
        ([START, message("42"), DONE], [], "42"),
        ([START, DONE], [whole("COMPLETED", "", "42", "m7")], "42"),
        # It came in pieces that share an id: the Task has all of it.
        (
            [START, message("4"), message("2"), DONE],
            [whole("COMPLETED", "", "42", "m1")],
            "42",
        ),
        # It is under another id in the history.
        (
            [START, message("42"), DONE],
            [whole("COMPLETED", "", "42", "m7")],
            "42",
        ),
        ([START, DONE], [], ""),
    ],
)
async def test_completed_task_has_its_result(
    stream: list[Step], tasks: list[Update], result: str
) -> None:
    events = await follow(ScriptedConnection([stream], tasks))

    row = last_row(events)
    assert (row.status, row.result) == ("completed", result)
    assert [event.status for event in events if isinstance(event, TaskEvent)].count(
        "completed"
    ) == 1
    assert not [event for event in events if isinstance(event, GapEvent)]


async def test_end_and_the_gap_before_it_have_one_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    readings = (f"2026-01-01T00:00:{second:02}.000Z" for second in range(60))
    monkeypatch.setattr(task_end, "now", lambda: next(readings))
    first: list[Step] = [status("WORKING", "one", 1)]
    ended = task("COMPLETED", "nine", "one", "five", sequence=9)
    agent = ScriptedConnection([first, [ended]], [], resumable=True)

    events = await follow(agent)

    gap, *after = events[1:]
    assert isinstance(gap, GapEvent)
    assert last_row(after).status == "completed"
    assert {event.received_at for event in after} == {gap.received_at}


async def test_first_terminal_state_is_final() -> None:
    failed = status("FAILED", "no")
    connection = ScriptedConnection([[START, DONE, failed, chunk("late")]], [])

    events = await follow(connection)

    assert last_row(events).status == "completed"
    assert texts(events) == ["late"]


async def test_open_stream_does_not_delay_the_end_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_end, "END_GRACE_S", 0.01)

    class NeverEnding(ScriptedConnection):
        async def subscribe(
            self, task_id: str, after: int | None = None
        ) -> AsyncGenerator[Batch, None]:
            yield Batch([START, chunk("all"), DONE])
            await anyio.sleep_forever()

    events = await follow(NeverEnding([], []))

    assert last_row(events).result == "all"


async def test_every_message_in_the_stream_is_kept() -> None:
    stream: list[Step] = [START, message("one"), message("two"), message("two", "m2")]
    stream.append(DONE)

    events = await follow(ScriptedConnection([stream], []))

    words = ["one", "two", "two"]
    assert summarize(events)[1:-1] == [f"submitted {word}" for word in words]


class Hanging(ScriptedConnection):
    """Its stream is silent. GetTask gives or raises `answers`, then the last again."""

    def __init__(self, *answers: Update | Exception) -> None:
        super().__init__([], [])
        self.silent = anyio.Event()
        self.answers = list(answers)
        self.read_count = 0

    async def subscribe(
        self, task_id: str, after: int | None = None
    ) -> AsyncGenerator[Batch, None]:
        yield Batch([task("WORKING", "one"), chunk("part")])
        self.silent.set()
        await anyio.sleep_forever()

    async def get_task(self, task_id: str) -> Update:
        self.read_count += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


async def follow_listed(
    connection: Hanging, monkeypatch: pytest.MonkeyPatch, reads: int = 0
) -> list[Event]:
    """Follow the task, which is listed as completed, to its end or for some reads."""
    monkeypatch.setattr(listed_end, "READ_AFTER_S", (0.001, 0.001, 0.001))
    feed = Feed(MemoryLog())
    await feed.open()
    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        with anyio.fail_after(30):
            following = make_follower(connection, feed)
            async with anyio.create_task_group() as inner:
                inner.start_soon(following.run)
                await connection.silent.wait()
                following.take_listed(ListedTask("t1", "TASK_STATE_COMPLETED", None))
                while reads and connection.read_count < reads:
                    await anyio.sleep(0.01)
                if reads:
                    await anyio.wait_all_tasks_blocked()
                    inner.cancel_scope.cancel()
        feed.close()
    return await read_events(feed)


TOO_LARGE = AgentUnreachable("too large: over 8 MiB")
SILENT = AgentUnreachable("connection refused (carly, GetTask at http://x)")
BROKEN = AgentUnreachable("HTTP 500 (carly, GetTask at http://x)")
WHOLE = whole("COMPLETED", "part two")


@pytest.mark.parametrize("error", [TOO_LARGE, BROKEN])
async def test_listed_end_that_cannot_be_read_ends_the_task_after_a_gap(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    events = await follow_listed(Hanging(error), monkeypatch)

    assert summarize(events)[-2:] == ["gap", "completed None"]
    [gap] = [event for event in events if isinstance(event, GapEvent)]
    assert str(error) in gap.message
    assert last_row(events).result == "part"


@pytest.mark.parametrize("error", [SILENT, BROKEN])
async def test_listed_end_is_read_at_the_second_try(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    events = await follow_listed(Hanging(error, WHOLE), monkeypatch)

    assert (last_row(events).status, last_row(events).result) == (
        "completed",
        "part two",
    )
    assert not [e for e in events if isinstance(e, GapEvent) and "read" in e.message]


@pytest.mark.parametrize(
    "answers",
    [
        [SILENT],  # The agent may have the task when it is back.
        [BROKEN, task("WORKING", "one")],  # GetTask contradicts the list.
    ],
)
async def test_listed_end_that_is_in_doubt_leaves_the_task_open(
    monkeypatch: pytest.MonkeyPatch, answers: list[Update | Exception]
) -> None:
    events = await follow_listed(Hanging(*answers), monkeypatch, reads=3)

    assert last_row(events).status == "running"


async def test_question_of_an_agent_without_a_store_stays_open() -> None:
    """GetTask knows nothing of a task that the agent has just streamed."""
    feed, connection = Feed(MemoryLog()), ScriptedConnection([], [])

    async def response(*updates: Update) -> AsyncGenerator[Batch, None]:
        for update in updates:
            yield Batch([update])

    await feed.open()
    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        with anyio.fail_after(30):
            following = make_follower(connection, feed)
            async with anyio.create_task_group() as inner:
                asking = status("INPUT_REQUIRED", "Red or blue?")
                inner.start_soon(following.run, response(asking))
                while not connection.asked[2:]:
                    await anyio.sleep(0.01)
                stream = await following.expect_reply()
                await following.read_reply(stream, response(status("COMPLETED", "ok")))
                following.end_reply(stream)
        feed.close()

    rows = summarize(await read_events(feed))
    assert rows == ["input-required Red or blue?", "completed ok"]
