"""Runs a fan-out in the test's process, with clients that block or fail on demand.

The feed and its memory log are real. Only the server's side of each response is faked.
"""

from __future__ import annotations

import asyncio
import gc
import math
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any
from unittest import mock

import anyio
from anyio.abc import TaskGroup
from starlette.types import Message

import host.feed.cohort
import host.feed.feed
import host.feed.own_task
import host.feed.ring
import host.feed.sse_fanout
from host.feed.feed import Feed
from host.feed.ring import Ring
from host.feed.sse_fanout import Fanout
from host.log.memory_log import MemoryLog
from host.model.filter import ALL, Filter, Place
from host.model.sse import PING, feed_frame
from tests.contract.entries import message

DEADLINE_S = 60.0
LOOP_TURNS = 30
"""Turns of the event loop. Code that does not wait needs fewer."""
ONLY_CARLY = Filter(agent=frozenset({"carly"}))
ONLY_WALTER = Filter(agent=frozenset({"walter"}))


class Client:
    """The client of one response, which behaves like uvicorn.

    A send that blocks has written nothing.
    """

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.calls = 0
        self.is_ended = self.is_done = self.has_left = False
        self.error_on_send: BaseException | None = None
        self.violations: list[str] = []
        self.on_send: Callable[[], None] | None = None
        self._writable, self._closed = asyncio.Event(), asyncio.Event()
        self._writable.set()

    async def send(self, message: Message) -> None:
        self.calls += 1
        if self.is_done:
            self.violations.append(f"called after its request was over: {message}")
        if self.error_on_send:
            raise self.error_on_send
        if not self.has_left:
            await self._writable.wait()
        if self.has_left:
            return
        if self.is_ended:
            self.violations.append(f"written after the end: {message}")
        if self.on_send:
            self.on_send()
        self.bodies.append(message["body"])
        if not message.get("more_body"):
            self.is_ended = True
            self._closed.set()

    async def receive(self) -> Message:
        await self._closed.wait()
        return {"type": "http.disconnect"}

    def block(self) -> None:
        self._writable.clear()

    def unblock(self) -> None:
        self._writable.set()

    def disconnect(self) -> None:
        """Set the events in the order of uvicorn's connection_lost."""
        self.has_left = True
        self._closed.set()
        self._writable.set()

    def has_pings(self, count: int) -> bool:
        return self.bodies == [PING] * count

    @property
    def data(self) -> bytes:
        return b"".join(self.bodies)

    @property
    def frames(self) -> list[bytes]:
        """Return the complete events."""
        *complete, _ = self.data.split(b"\n\n")
        return [each + b"\n\n" for each in complete if each.startswith(b"id: ")]

    @property
    def ids(self) -> list[int]:
        found = re.findall(rb"^id: \w+-(\d+)$", self.data, re.MULTILINE)
        return [int(event_id) for event_id in found]


class FanoutRun:
    """A feed on a memory log, its fan-out, and the clients that join."""

    def __init__(self, feed: Feed, log: MemoryLog, group: TaskGroup) -> None:
        self.feed, self.log = feed, log
        self.fanout = Fanout(feed)
        self.events: list[tuple[Place, bytes]] = []
        """The place and frame of each event."""
        self._group = group
        group.start_soon(feed.write)
        group.start_soon(self.fanout.run)

    async def publish(self, *agents: str, size: int = 0) -> None:
        """Append one event for each agent, as one batch."""
        entries = []
        for agent in agents:
            number = len(self.events) + 1
            entry = message(number, "x" * size, agent)
            entries.append(entry)
            epoch = self.feed.epoch
            self.events.append((entry.place, feed_frame(epoch, number, entry.body)))
        await self.feed.append(entries)

    async def join(
        self,
        where: Filter = ALL,
        cursor: int | None = None,
        every_s: float = 0,
        opening: Iterator[bytes] | None = None,
    ) -> Client:
        client = Client()
        at = self.feed.head if cursor is None else cursor
        self._group.start_soon(self._serve, client, where, at, every_s, opening)
        await asyncio.sleep(0)
        return client

    async def _serve(
        self,
        client: Client,
        where: Filter,
        cursor: int,
        every_s: float,
        opening: Iterator[bytes] | None,
    ) -> None:
        await self.fanout.serve(
            where, cursor, client.receive, client.send, every_s, opening=opening
        )
        client.is_done = True

    def frames_after(self, cursor: int, where: Filter) -> list[bytes]:
        return [frame for place, frame in self.events[cursor:] if where.matches(place)]


@asynccontextmanager
async def run_fanout() -> AsyncIterator[FanoutRun]:
    log = MemoryLog()
    feed = Feed(log)
    await feed.open()
    # No rests after slow rounds: they would take real time on a busy machine.
    with mock.patch.object(host.feed.sse_fanout, "REST_FROM_S", math.inf):
        async with anyio.create_task_group() as group:
            yield FanoutRun(feed, log, group)
            group.cancel_scope.cancel()


async def wait_until(condition: Callable[[], Any], description: str = "") -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, (
            f"waited {DEADLINE_S} s for {description or condition}"
        )
        await asyncio.sleep(0)


async def run_loop(count: int = LOOP_TURNS) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def count_objects(cls: type) -> int:
    """Count the instances of a class after a garbage collection."""
    gc.collect()
    return sum(type(each) is cls for each in gc.get_objects())


@contextmanager
def small_limits(*, pinging: bool = False) -> Iterator[None]:
    """Set sizes so small that a few events exceed a block, the ring or a page."""
    with (
        mock.patch.object(host.feed.ring, "BLOCK_BYTES", 400),
        mock.patch.object(host.feed.sse_fanout, "BLOCK_BYTES", 400),
        mock.patch.object(host.feed.own_task, "BLOCK_BYTES", 400),
        mock.patch.object(host.feed.feed, "Ring", partial(Ring, max_bytes=1_200)),
        mock.patch.object(host.feed.feed, "PAGE", 3),
        mock.patch.object(host.feed.cohort, "COHORT", 3),
        mock.patch.object(host.feed.sse_fanout, "PING_S", 0.0 if pinging else 60.0),
    ):
        yield
