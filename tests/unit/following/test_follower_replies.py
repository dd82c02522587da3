"""The stream of a message that was sent, and the follower's own: one at a time.

A real feed on a memory log; the connection is played, and waits where the test says.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import anyio

from host.clients.bindings.types import Batch, Update
from host.clients.connection import Connection
from host.errors import AgentUnreachable
from host.feed.feed import Feed
from host.following.agent_row import AgentRow
from host.following.follower import Follower
from host.log.memory import MemoryLog
from host.model.event import ArtifactEvent, decode
from host.model.filter import ALL
from tests.unit.following.test_follower import (
    NoPresence,
    Script,
    live,
    snapshot,
    update,
    words_of,
)


class Slow(Script):
    """Holds back its streams until `streaming_on`, its Tasks until `answering`."""

    def __init__(self, streams: list[list[Update]], tasks: list[Update]) -> None:
        super().__init__([list(steps) for steps in streams], tasks)
        self.streaming_on = anyio.Event()
        self.answering = anyio.Event()
        self.looking = anyio.Event()

    async def subscribe(
        self, task_id: str, after: int | None = None
    ) -> AsyncGenerator[Batch, None]:
        self.asked.append(after)
        await self.streaming_on.wait()
        for step in self.streams.pop(0) if self.streams else []:
            yield Batch([cast(Update, step)])
        await anyio.sleep_forever()

    async def get_task(self, task_id: str) -> Update:
        self.looking.set()
        await self.answering.wait()
        return await super().get_task(task_id)


def chunk(text: str) -> Update:
    artifact = {"artifactId": "a", "parts": [{"text": text}]}
    body = {"taskId": "t1", "contextId": "c1", "artifact": artifact, "append": True}
    return update({"artifactUpdate": body})


async def stream(*updates: Update) -> AsyncGenerator[Batch, None]:
    for one in updates:
        await anyio.lowlevel.checkpoint()
        yield Batch([one])


@asynccontextmanager
async def running(
    script: Script, log: MemoryLog | None = None
) -> AsyncIterator[tuple[Follower, Feed]]:
    feed = Feed(log or MemoryLog())
    await feed.open()
    follower = Follower(
        "t1", cast(Connection, script), feed, cast(AgentRow, NoPresence())
    )
    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        with anyio.fail_after(10):
            yield follower, feed
        feed.close()


async def test_a_task_found_while_its_message_is_answered_is_told_once() -> None:
    """The subscription, on its way when the answer comes, would say all of it again."""
    both = [live("WORKING", "one"), chunk("a"), chunk("b"), live("COMPLETED", "two")]
    script = Slow([[snapshot("WORKING", "one"), *both[1:]]], [])
    async with running(script) as (follower, feed):
        async with anyio.create_task_group() as group:
            group.start_soon(follower.run)
            while not script.asked:
                await anyio.lowlevel.checkpoint()
            assert follower.can_take_reply()
            group.start_soon(follower.read_reply, stream(*both))
            await anyio.lowlevel.checkpoint()
            script.streaming_on.set()
        rows = [decode(row.body) for row in await feed.history(0, None, 100, ALL)]

    parts = [e.parts[0]["text"] for e in rows if isinstance(e, ArtifactEvent)]
    assert parts == ["a", "b"]
    assert words_of(rows) == ["running one", "completed two"]


async def test_a_look_from_before_the_reply_takes_nothing_back() -> None:
    asking = live("INPUT_REQUIRED", "Red or blue?")
    script = Slow([[]], [snapshot("INPUT_REQUIRED", "Red or blue?")])
    answer = stream(live("WORKING", "Thanks."), live("COMPLETED", "Done."))
    async with running(script) as (follower, feed):
        async with anyio.create_task_group() as group:
            group.start_soon(follower.run, stream(asking))
            await script.looking.wait()
            group.start_soon(follower.read_reply, answer)
            script.answering.set()
        rows = [decode(row.body) for row in await feed.history(0, None, 100, ALL)]

    assert words_of(rows) == [
        "input-required Red or blue?",
        "running Thanks.",
        "completed Done.",
    ]


async def test_after_a_reply_s_stream_the_task_is_followed_on() -> None:
    """A stream that ended at the next question says nothing of what comes after it."""
    script = Slow([[snapshot("COMPLETED", "Done.", "Sure?")]], [])
    script.answering.set()
    script.tasks = [snapshot("INPUT_REQUIRED", "Red or blue?")]
    asking, again = live("INPUT_REQUIRED", "Red or blue?"), live("WORKING", "Sure?")
    async with running(script) as (follower, feed):
        async with anyio.create_task_group() as group:
            group.start_soon(follower.run, stream(asking))
            await script.looking.wait()
            await follower.read_reply(stream(again))
            script.streaming_on.set()
        rows = [decode(row.body) for row in await feed.history(0, None, 100, ALL)]

    assert words_of(rows) == [
        "input-required Red or blue?",
        "running Sure?",
        "gap",
        "completed Done.",
    ]


async def test_a_reply_s_stream_that_breaks_leaves_the_task_to_its_own() -> None:
    script = Slow([[snapshot("COMPLETED", "Done.", "Thanks.")]], [])
    script.answering.set()
    script.tasks = [snapshot("INPUT_REQUIRED", "Red or blue?")]
    asking = live("INPUT_REQUIRED", "Red or blue?")

    async def breaking() -> AsyncGenerator[Batch, None]:
        yield Batch([live("WORKING", "Thanks.")])
        raise AgentUnreachable("the connection was reset")

    async with running(script) as (follower, feed):
        async with anyio.create_task_group() as group:
            group.start_soon(follower.run, stream(asking))
            await script.looking.wait()
            await follower.read_reply(breaking())
            script.streaming_on.set()
        rows = [decode(row.body) for row in await feed.history(0, None, 100, ALL)]

    assert words_of(rows)[-2:] == ["gap", "completed Done."]


class LateLog(MemoryLog):
    """Does not say what it has until `telling`."""

    def __init__(self) -> None:
        super().__init__()
        self.telling = anyio.Event()

    async def high_water(self, source: str) -> int:
        await self.telling.wait()
        return await super().high_water(source)


async def test_a_task_cancelled_before_its_past_is_read_is_looked_at_after_that() -> (
    None
):
    log, script = LateLog(), Slow([], [snapshot("CANCELED", "over")])
    script.answering.set()
    async with running(script, log) as (follower, feed), anyio.create_task_group() as g:
        g.start_soon(follower.run)
        await anyio.wait_all_tasks_blocked()
        follower.read_task_after(0)
        await anyio.wait_all_tasks_blocked()
        assert not script.looking.is_set()
        log.telling.set()
    events = [decode(row.body) for row in await feed.history(0, None, 100, ALL)]
    assert words_of(events) == ["cancelled over"]
