"""The response to a reply, and the follower's own stream: each update counts once.

The test decides when the connection continues.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import anyio

from host.clients.bindings.types import Batch, Update
from host.errors import AgentUnreachable
from host.feed.feed import Feed
from host.following.follower import Follower
from host.log.memory_log import MemoryLog
from host.model.event import ArtifactEvent, Event
from tests.support.scripted_agent import (
    ScriptedConnection,
    chunk,
    make_follower,
    make_update,
    read_events,
    status,
    summarize,
    task,
)


class SlowConnection(ScriptedConnection):
    """Holds back streams until `may_stream` is set, and Tasks until `may_answer` is."""

    def __init__(self, streams: list[list[Update]], tasks: list[Update]) -> None:
        super().__init__([list(steps) for steps in streams], tasks)
        self.may_stream = anyio.Event()
        self.may_answer = anyio.Event()
        self.has_asked = anyio.Event()

    async def subscribe(
        self, task_id: str, after: int | None = None
    ) -> AsyncGenerator[Batch, None]:
        self.asked.append(after)
        await self.may_stream.wait()
        for step in self.streams.pop(0) if self.streams else []:
            yield Batch([cast(Update, step)])
        await anyio.sleep_forever()

    async def get_task(self, task_id: str) -> Update:
        self.has_asked.set()
        await self.may_answer.wait()
        return await super().get_task(task_id)


async def reply(follower: Follower, response: AsyncGenerator[Batch]) -> None:
    """Send a message whose response is `response`."""
    stream = await follower.expect_reply()
    try:
        await follower.read_reply(stream, response)
    finally:
        follower.end_reply(stream)


async def stream(*updates: Update) -> AsyncGenerator[Batch, None]:
    for one in updates:
        await anyio.lowlevel.checkpoint()
        yield Batch([one])


@asynccontextmanager
async def running(
    connection: ScriptedConnection, log: MemoryLog | None = None
) -> AsyncIterator[tuple[Follower, Feed]]:
    feed = Feed(log or MemoryLog())
    await feed.open()
    follower = make_follower(connection, feed)
    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        with anyio.fail_after(30):
            yield follower, feed
        feed.close()


async def test_task_found_while_its_message_is_answered_is_written_once() -> None:
    """The subscription would send all of it again."""
    both = [
        status("WORKING", "one"),
        chunk("a"),
        chunk("b"),
        status("COMPLETED", "two"),
    ]
    connection = SlowConnection([[task("WORKING", "one"), *both[1:]]], [])
    async with running(connection) as (follower, feed):
        async with anyio.create_task_group() as group:
            group.start_soon(follower.run)
            while not connection.asked:
                await anyio.lowlevel.checkpoint()
            group.start_soon(reply, follower, stream(*both))
            await anyio.lowlevel.checkpoint()
            connection.may_stream.set()
        rows = await read_events(feed)

    parts = [e.parts[0]["text"] for e in rows if isinstance(e, ArtifactEvent)]
    assert parts == ["a", "b"]
    assert summarize(rows) == ["running one", "completed two"]


async def test_task_read_before_the_reply_takes_nothing_back() -> None:
    asking = status("INPUT_REQUIRED", "Red or blue?")
    connection = SlowConnection([[]], [task("INPUT_REQUIRED", "Red or blue?")])
    answer = stream(status("WORKING", "Thanks."), status("COMPLETED", "Done."))
    async with running(connection) as (follower, feed):
        async with anyio.create_task_group() as group:
            group.start_soon(follower.run, stream(asking))
            await connection.has_asked.wait()
            group.start_soon(reply, follower, answer)
            connection.may_answer.set()
        rows = await read_events(feed)

    assert summarize(rows) == [
        "input-required Red or blue?",
        "running Thanks.",
        "completed Done.",
    ]


async def test_task_is_followed_after_the_stream_of_a_reply() -> None:
    """The Task shows that the end of the response has hidden only the last state."""
    connection = SlowConnection([[task("COMPLETED", "Done.", "Sure?")]], [])
    connection.may_answer.set()
    connection.tasks = [task("INPUT_REQUIRED", "Red or blue?")]
    asking, again = status("INPUT_REQUIRED", "Red or blue?"), status("WORKING", "Sure?")
    async with running(connection) as (follower, feed):
        async with anyio.create_task_group() as group:
            group.start_soon(follower.run, stream(asking))
            await connection.has_asked.wait()
            await reply(follower, stream(again))
            connection.may_stream.set()
        rows = await read_events(feed)

    assert summarize(rows) == [
        "input-required Red or blue?",
        "running Sure?",
        "completed Done.",
    ]


async def test_task_is_followed_after_the_stream_of_a_reply_breaks() -> None:
    connection = SlowConnection([[task("COMPLETED", "Done.", "Thanks.")]], [])
    connection.may_answer.set()
    connection.tasks = [task("INPUT_REQUIRED", "Red or blue?")]
    asking = status("INPUT_REQUIRED", "Red or blue?")

    async def breaking() -> AsyncGenerator[Batch, None]:
        yield Batch([status("WORKING", "Thanks.")])
        raise AgentUnreachable("the connection was reset")

    async with running(connection) as (follower, feed):
        async with anyio.create_task_group() as group:
            group.start_soon(follower.run, stream(asking))
            await connection.has_asked.wait()
            await reply(follower, breaking())
            connection.may_stream.set()
        rows = await read_events(feed)

    assert summarize(rows)[-2:] == ["gap", "completed Done."]


class SlowLog(MemoryLog):
    """A log that returns data only after `is_ready` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.is_ready = anyio.Event()

    async def high_water(self, source: str) -> int:
        await self.is_ready.wait()
        return await super().high_water(source)


async def test_task_cancelled_before_the_history_is_read_is_read_afterwards() -> None:
    log, connection = SlowLog(), SlowConnection([], [task("CANCELED", "over")])
    connection.may_answer.set()
    async with (
        running(connection, log) as (follower, feed),
        anyio.create_task_group() as g,
    ):
        g.start_soon(follower.run)
        await anyio.wait_all_tasks_blocked()
        follower.read_task_after(0)
        await anyio.wait_all_tasks_blocked()
        assert not connection.has_asked.is_set()
        log.is_ready.set()
    events = await read_events(feed)
    assert summarize(events) == ["cancelled over"]


async def test_second_reply_is_read_when_it_comes_right_after_the_first() -> None:
    """Between two replies, the follower's own reader must not start."""
    asking = status("INPUT_REQUIRED", "Red or blue?")
    connection = SlowConnection([[]], [])
    async with running(connection) as (follower, feed):
        async with anyio.create_task_group() as group:
            group.start_soon(follower.run, stream(asking))
            await connection.has_asked.wait()
            await reply(follower, stream(status("INPUT_REQUIRED", "Light?")))
            await reply(follower, stream(status("COMPLETED", "Done.")))
        events = await read_events(feed)

    assert summarize(events)[-1] == "completed Done."


async def follow_with_a_reply(
    tasks: list[Update], first: list[Update], answer: list[Update]
) -> list[Event]:
    """Return the events of a task with a reply during the response to a message.

    The agent sends the first of the updates in `first` before it gets the reply, and
    the others after it. Then it sends `answer`. GetTask returns `tasks`.
    """
    connection = SlowConnection([[]], tasks)
    connection.may_answer.set()
    has_replied = anyio.Event()

    async def respond() -> AsyncGenerator[Batch, None]:
        yield Batch(first[:1])
        await has_replied.wait()
        for update in first[1:]:
            yield Batch([update])

    async with running(connection) as (follower, feed):
        async with anyio.create_task_group() as group:
            group.start_soon(follower.run, respond())
            await anyio.wait_all_tasks_blocked()
            reply_stream = await follower.expect_reply()
            has_replied.set()
            await anyio.wait_all_tasks_blocked()
            await follower.read_reply(reply_stream, stream(*answer))
            follower.end_reply(reply_stream)
        return await read_events(feed)


async def test_response_that_ends_beside_an_answer_hides_nothing() -> None:
    """GetTask would be ahead of the response to the answer."""
    events = await follow_with_a_reply(
        tasks=[task("COMPLETED", "Done.", "Red or blue?")],
        first=[status("INPUT_REQUIRED", "Red or blue?")],
        answer=[status("WORKING", "Thanks."), status("COMPLETED", "Done.")],
    )

    assert summarize(events) == [
        "input-required Red or blue?",
        "running Thanks.",
        "completed Done.",
    ]


async def test_chunk_taken_for_a_repeat_is_found_at_the_end() -> None:
    """The response expects a chunk that the agent sent before it got the message."""
    parts = [{"text": "a"}, {"text": "a"}]
    whole = {
        "id": "t1",
        "status": {"state": "TASK_STATE_COMPLETED"},
        "artifacts": [{"artifactId": "a", "parts": parts}],
    }
    events = await follow_with_a_reply(
        tasks=[make_update({"task": whole})] * 2,
        first=[status("WORKING", "one"), chunk("a")],
        answer=[chunk("a"), status("COMPLETED", "Done.")],
    )

    found = [e.parts for e in events if isinstance(e, ArtifactEvent)]
    assert [part["text"] for some in found for part in some] == ["a", "a"]
