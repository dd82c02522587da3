"""Tests /tasks/stream: one row for each change of status, for any number of readers.

Covers agents/task_stream.py.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, NamedTuple

import anyio
import pytest
from a2a.types.a2a_pb2 import Artifact, Message, Part, Task, TaskState, TaskStatus
from hypothesis import given
from hypothesis import strategies as st

from agents import progress
from agents.task_stream import TaskStream, build_row

WORKING = TaskState.TASK_STATE_WORKING
COMPLETED = TaskState.TASK_STATE_COMPLETED


def task(
    task_id: str, state: TaskState, at: int, percent: int | None = None, text: str = ""
) -> Task:
    status = TaskStatus(state=state)
    status.timestamp.FromSeconds(at)
    if text:
        status.message.CopyFrom(Message(message_id=f"m{at}", parts=[Part(text=text)]))
    metadata = None if percent is None else progress.build_metadata(percent, ())
    return Task(id=task_id, status=status, metadata=metadata)


class StreamEvent(NamedTuple):
    """A parsed server-sent event. Without a row it has an id or a comment."""

    id: str
    row: Any
    comment: str


class Reader:
    """A client of GET /tasks/stream."""

    def __init__(self, stream: TaskStream, last_event_id: str = "") -> None:
        self.chunks = stream.follow(last_event_id)
        self.last_event_id = last_event_id

    async def next(self) -> list[StreamEvent]:
        """Return the events of the next chunk that has any."""
        while not (
            events := [parse_frame(f) for f in (await self._chunk()).split("\n\n")]
        ):
            pass
        events = [event for event in events if event.id or event.comment]
        if not events:
            return await self.next()
        self.last_event_id = events[-1].id or self.last_event_id
        return events

    async def rows(self) -> list[Any]:
        """Return all rows until the stream closes."""
        rows: list[Any] = []
        while True:
            try:
                rows += [event.row for event in await self.next() if event.row]
            except StopAsyncIteration:
                return rows

    async def _chunk(self) -> str:
        with anyio.fail_after(30):
            return (await anext(self.chunks)).decode()


def parse_frame(frame: str) -> StreamEvent:
    fields = dict(line.partition(": ")[::2] for line in frame.splitlines())
    row = json.loads(fields["data"]) if "data" in fields else None
    return StreamEvent(fields.get("id", ""), row, fields.get("", ""))


@asynccontextmanager
async def reader(stream: TaskStream, last_event_id: str = "") -> AsyncIterator[Reader]:
    """Open a reader, and close its stream at the end."""
    reading = Reader(stream, last_event_id)
    async with aclosing(reading.chunks):
        yield reading


def percents(events: list[StreamEvent]) -> list[int]:
    return [event.row["progress"] for event in events if event.row]


def test_row_of_a_running_task_has_the_fields_of_the_lesson() -> None:
    assert build_row(task("a", WORKING, 1, 50, "Querying…")) == {
        "task_id": "a",
        "status": "running",
        "progress": 50,
        "message": "Querying…",
    }


def test_row_of_a_completed_task_has_the_text_of_its_artifacts() -> None:
    done = task("a", COMPLETED, 1, 100, "Done.")
    done.artifacts.extend(Artifact(parts=[Part(text=text)]) for text in ("one", "two"))
    assert build_row(done) == {
        "task_id": "a",
        "status": "completed",
        "progress": 100,
        "result": "one\ntwo",
    }


@pytest.mark.parametrize(("state", "percent"), [(WORKING, 0), (COMPLETED, 100)])
def test_progress_is_a_number_if_the_task_has_none(
    state: TaskState, percent: int
) -> None:
    assert build_row(task("a", state, 1))["progress"] == percent


async def test_new_reader_first_gets_the_row_of_each_open_task() -> None:
    stream = TaskStream()
    stream.post(task("a", WORKING, 1, 10))
    stream.post(task("b", WORKING, 2, 20))
    stream.post(task("a", WORKING, 3, 30))
    stream.post(task("b", COMPLETED, 4, 100))
    stream.post(task("c", WORKING, 5, 50))
    async with reader(stream) as new:
        events = await new.next()
    rows = [event.row for event in events if event.row]
    assert [(row["task_id"], row["progress"]) for row in rows] == [("a", 30), ("c", 50)]


async def test_unchanged_status_is_sent_once() -> None:
    stream = TaskStream()
    stream.post(task("a", WORKING, 0, 0))
    async with reader(stream) as new:
        await new.next()
        for again in (1, 1, 1, 2):
            stream.post(task("a", WORKING, again, again))
        stream.close()
        assert [row["progress"] for row in await new.rows()] == [1, 2]


async def test_reader_gets_every_row_in_order_until_the_stream_closes() -> None:
    stream = TaskStream()
    stream.post(task("a", WORKING, 0, 0))
    async with reader(stream) as new:
        await new.next()
        for percent in (1, 2, 3):
            stream.post(task("a", WORKING, percent, percent))
        stream.post(task("a", COMPLETED, 9, 100))
        stream.close()
        assert [row["progress"] for row in await new.rows()] == [1, 2, 3, 100]


async def test_waiting_reader_gets_a_row_as_soon_as_it_is_posted() -> None:
    stream = TaskStream()
    async with reader(stream) as new, anyio.create_task_group() as tasks:
        await new.next()
        got: list[int] = []

        async def wait() -> None:
            got.extend(percents(await new.next()))

        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        assert got == []
        stream.post(task("a", WORKING, 1, 10))
    assert got == [10]


@given(
    posts=st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=30),
    left_after=st.integers(0, 30),
)
def test_reader_resumes_after_its_last_id(
    posts: list[tuple[str, bool]], left_after: int
) -> None:
    """This also holds for a reader that has received only its first id."""

    async def check() -> None:
        stream = TaskStream()

        def post(some: list[tuple[str, bool]], first: int) -> None:
            for at, (name, done) in enumerate(some, start=first):
                state = COMPLETED if done else WORKING
                stream.post(task(name, state, at, min(at, 100)))

        post(posts[:left_after], 1)
        async with reader(stream) as first:
            await first.next()
        post(posts[left_after:], 1 + len(posts[:left_after]))
        stream.close()
        async with reader(stream, first.last_event_id) as back:
            rows = await back.rows()
        missed = posts[left_after:]
        assert [row["task_id"] for row in rows] == [name for name, _ in missed]

    anyio.run(check)


async def test_reader_can_resume_within_the_first_rows() -> None:
    stream = TaskStream()
    for at, name in enumerate("abca", start=1):
        stream.post(task(name, WORKING, at, at))
    async with reader(stream) as new:
        events = await new.next()
    # A reader that disconnects after the first row resumes with the other two.
    async with reader(stream, events[0].id) as back:
        assert percents(await back.next()) == percents(events)[1:] == [3, 4]


@pytest.mark.parametrize(
    "last_event_id",
    [
        "nonsense",
        "0-1",
        "{run}-",
        "{run}-x",
        "{run}-²",
        "{run}-99",
        "{run}--1",
        "{run}-0",
    ],
)
async def test_reader_with_an_unusable_id_gets_the_row_of_each_open_task(
    last_event_id: str,
) -> None:
    """The id is malformed, too old, ahead, or from another run of the agent."""
    stream = TaskStream(max_rows=3)
    async with reader(stream) as new:
        await new.next()
    run = new.last_event_id.partition("-")[0]
    stream.post(task("old", WORKING, 1, 10))
    for at in range(2, 9):
        stream.post(task("a", WORKING, at, at))
    async with reader(stream, last_event_id.format(run=run)) as back:
        comment, *events = await back.next()
    assert comment.comment.startswith("cannot continue after ")
    assert percents(events) == [10, 8]
    async with reader(stream, back.last_event_id) as again:
        stream.post(task("a", WORKING, 9, 9))
        assert percents(await again.next()) == [9]


async def test_too_slow_reader_gets_a_comment_and_the_row_of_each_open_task() -> None:
    stream = TaskStream(max_rows=5)
    async with reader(stream) as slow:
        await slow.next()
        stream.post(task("waiting", WORKING, 0, 50))
        for at in range(1, 8):
            stream.post(task("a", WORKING, at, at))
        stream.close()
        comment, *events = await slow.next()
    assert comment.comment == "too slow: 8 updates skipped"
    assert percents(events) == [50, 7]


async def test_ids_of_two_runs_differ() -> None:
    first, second = TaskStream(), TaskStream()
    for stream in (first, second):
        stream.post(task("a", WORKING, 1, 1))
    async with reader(first) as before:
        await before.next()
    async with reader(second, before.last_event_id) as after:
        events = await after.next()
    assert events[0].comment == f"cannot continue after '{before.last_event_id}'"
    assert percents(events) == [1]
