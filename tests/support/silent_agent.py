"""Follows one task of a scripted agent whose stream stays open.

A test decides when the agent sends an update, and when the host checks the task.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import anyio

from host.clients.bindings.types import Batch, Update
from host.clients.connection import Connection
from host.feed.feed import Feed
from host.following.follower import Follower
from host.log.memory_log import MemoryLog
from host.merging.agent_row import AgentRow
from host.model.event import ArtifactEvent, GapEvent, NoticeEvent, TaskEvent
from host.protocol.gaps import HOST_WAS_AWAY
from tests.support.scripted_agent import FakeAgentRow, ScriptedConnection, read_events
from tests.support.waiting import wait_until

SOON_S = 0.02


class OpenConnection(ScriptedConnection):
    """Keeps the task's stream open: `push` sends an update. GetTask gives `task`."""

    def __init__(self, now: Update, *, resumable: bool = False) -> None:
        super().__init__([], [], resumable)
        self.task: Update | Exception = now
        self.reads = 0
        self._updates = asyncio.Queue[Update]()

    async def push(self, update: Update) -> None:
        await self._updates.put(update)

    async def subscribe(
        self, task_id: str, after: int | None = None
    ) -> AsyncGenerator[Batch, None]:
        self.asked.append(after)
        if isinstance(self.task, Exception):
            raise self.task
        if after is None:
            yield Batch([self.task])
        while True:
            yield Batch([await self._updates.get()])

    async def get_task(self, task_id: str) -> Update:
        self.reads += 1
        if isinstance(self.task, Exception):
            raise self.task
        return self.task


class Run:
    """A follower of the agent's task, whose check a test calls as often as it likes."""

    def __init__(self, connection: OpenConnection, feed: Feed, after_s: float) -> None:
        self.connection = connection
        self.feed = feed
        self._follower = Follower(
            "t1",
            cast(Connection, connection),
            feed,
            cast(AgentRow, FakeAgentRow()),
            HOST_WAS_AWAY,
            stalled_after_s=after_s,
        )

    async def lines(self) -> list[str]:
        """Describe each event in a word or two."""
        return [_describe(event) for event in await read_events(self.feed)]

    async def until(self, *lines: str) -> None:
        """Check the task until the feed has exactly these events."""

        async def has() -> bool:
            self._follower.check_stalled()
            return await self.lines() == list(lines)

        await wait_until(has, f"the events {lines}", 30)

    async def until_lines(self, *lines: str) -> None:
        """Wait until the feed has exactly these events, without a check."""

        async def has() -> bool:
            return await self.lines() == list(lines)

        await wait_until(has, f"the events {lines}", 30)

    async def until_last(self, line: str) -> None:
        """Check the task until this is the last event."""

        async def has() -> bool:
            await self.check(1)
            return (await self.lines())[-1] == line

        await wait_until(has, f"the event {line}", 30)

    async def check(self, times: int = 5) -> None:
        """Check the task some times, longer than SOON_S in all."""
        for _ in range(times):
            self._follower.check_stalled()
            await anyio.sleep(SOON_S)

    async def run(self) -> None:
        await self._follower.run()


def _describe(event: object) -> str:
    if isinstance(event, NoticeEvent):
        return event.notice
    if isinstance(event, TaskEvent):
        marks = {True: " stalled", False: ""}
        return f"{event.message}{marks[event.is_stalled]}"
    if isinstance(event, ArtifactEvent):
        return f"chunk {event.parts[0]['text']}"
    return "gap" if isinstance(event, GapEvent) else "?"


@asynccontextmanager
async def follow(
    connection: OpenConnection, after_s: float = SOON_S, log: MemoryLog | None = None
) -> AsyncIterator[Run]:
    feed = Feed(log or MemoryLog())
    await feed.open()
    async with anyio.create_task_group() as writing:
        writing.start_soon(feed.write)
        run = Run(connection, feed, after_s)
        async with anyio.create_task_group() as group:
            group.start_soon(run.run)
            with anyio.fail_after(60):
                await wait_until(lambda: connection.asked, "the subscription", 30)
                yield run
            group.cancel_scope.cancel()
        feed.close()
