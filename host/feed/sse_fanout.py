"""Sends the feed to all readers, with one scheduler.

Readers at the same cursor form cohorts. In each round, every cohort gets the next
bytes. The scheduler calls each reader's `send` itself, so a `send` that does not block
needs no task switch. A reader whose `send` blocks gets its own task until it has caught
up. Readers have no queues.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from heapq import nsmallest
from time import monotonic, perf_counter, time

import anyio
from anyio.abc import TaskGroup
from starlette.types import Message, Receive, Send

from ..errors import CursorExpired, LogError
from ..model.debug_state import ReaderState
from ..model.filter import Filter
from ..model.sse import PING
from ..observability.logfmt import Line
from .cohort import Blocked, Channel, Cohort, Reader, Subscription, step
from .feed import FAULT, Feed
from .own_task import send_body, send_next, send_opening
from .ring import BLOCK_BYTES
from .stalled_readers import cut_stalled

logger = logging.getLogger("courtside.fanout")

# How often a round lets other tasks run. Without this, p99 was 84 ms (5,000 readers).
SLICE_S = 0.0005
REST_SHARE = 0.1  # Share of the time to sleep. 0.3 doubled the p99 of 5,000 readers.
REST_FROM_S, LEAST_REST_S = 0.001, 0.002
PING_S = 15.0
END_S = 0.5  # Time to send the end of a stream. The host must stop within 2 s.


class Fanout:
    """Start `run` in a task group. After that, each request calls `serve`."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._channels: dict[Subscription, Channel] = {}
        self._readers: set[Reader] = set()
        self._tasks: TaskGroup | None = None
        self._stopped = False
        self._sent_fault: str | None = None

    async def run(self) -> None:
        try:
            async with anyio.create_task_group() as self._tasks:
                self._tasks.start_soon(self._ping)
                while True:
                    await self._feed.wait_until_published()
                    await self._send_fault()
                    await self._deliver()
        finally:
            self._tasks = None

    async def serve(
        self,
        where: Filter,
        cursor: int,
        receive: Receive,
        send: Send,
        every_s: float = 0,
        *,
        opening: Iterator[bytes] | None = None,
    ) -> None:
        """Send `opening` and the events after `cursor` until a disconnect or `stop()`.

        Events that arrive within `every_s` after a send are sent together.
        """
        reader = Reader(send, where, cursor, every_s)
        reader.opening, opening = opening, None
        self._readers.add(reader)
        try:
            if self._stopped:
                self._end(reader)
            else:
                self._catch_up_soon(reader, None)
            while (await receive())["type"] != "http.disconnect":
                pass
        except asyncio.CancelledError:
            if not reader.take_back_disconnect():
                raise
        finally:
            self._leave(reader)
            reader.task = None

    def stop(self) -> None:
        """End every response. The readers reconnect with their cursors."""
        self._stopped = True
        for reader in list(self._readers):
            self._end(reader)

    def count(self) -> tuple[int, int]:
        """Return the number of readers, and of lagging readers."""
        return len(self._readers), sum(r.is_lagging for r in self._readers)

    def furthest_behind(self, most: int) -> list[ReaderState]:
        """Return the readers with the oldest cursors, for the debug page."""
        furthest = nsmallest(most, self._readers, key=lambda r: r.position)
        return [reader.describe(self._feed.head) for reader in furthest]

    def _end(self, reader: Reader, last: bytes = b"") -> None:
        """Send `last` and end the response, in the reader's own task if it has one."""
        if reader.catch_up:
            reader.catch_up.cancel()
            return
        self._leave(reader)
        blocked = step(reader, {"type": "http.response.body", "body": last})
        if blocked and self._tasks:
            self._tasks.start_soon(self._send_end, reader, blocked)
        elif blocked:
            reader.disconnect()

    async def _send_end(self, reader: Reader, blocked: Blocked) -> None:
        try:
            with anyio.move_on_after(END_S):
                return await blocked
        except Exception as error:
            logger.info(Line(reader="gone", cause=repr(error)))
        reader.disconnect()

    def _leave(self, reader: Reader) -> None:
        self._readers.discard(reader)
        if reader.cohort:
            reader.cohort.readers.pop(reader, None)
            # Otherwise a channel that gets no events would stay forever.
            channel = self._channels.get(reader.subscription)
            if channel and not any(cohort.readers for cohort in channel.cohorts):
                del self._channels[reader.subscription]
        if reader.catch_up:
            reader.catch_up.cancel()

    async def _send_fault(self) -> None:
        """Send the fault to all cohorts. Lagging readers get it at the head."""
        if self._sent_fault == self._feed.fault:
            return
        self._sent_fault, frame = self._feed.fault, self._feed.fault_frame()
        for channel in list(self._channels.values()):
            if channel.where.matches_kind(FAULT):
                for cohort in list(channel.cohorts):
                    self._write(cohort, frame)
                    await asyncio.sleep(0)

    async def _deliver(self) -> None:
        """Run rounds until every cohort is at the head. Sleep if the last took long."""
        behind = True
        while behind:
            began = perf_counter()
            await self._round()
            behind = any(
                cohort.cursor < self._feed.head
                for channel in self._channels.values()
                for cohort in channel.cohorts
            )
            cost = perf_counter() - began
            rest = 0.0
            if cost >= REST_FROM_S and not behind:
                rest = max(cost * REST_SHARE / (1 - REST_SHARE), LEAST_REST_S)
            await asyncio.sleep(rest)

    async def _round(self) -> None:
        slice_ends = perf_counter() + SLICE_S
        for subscription, channel in list(self._channels.items()):
            channel.compact()
            if not channel.cohorts and self._channels.get(subscription) is channel:
                del self._channels[subscription]
            for cohort in list(channel.cohorts):
                self._flush(channel, cohort)
                if perf_counter() > slice_ends:
                    await asyncio.sleep(0)
                    slice_ends = perf_counter() + SLICE_S

    def _flush(self, channel: Channel, cohort: Cohort) -> None:
        frames = channel.frames_after(cohort.cursor)
        # The frames are only in the log, or too large for one send.
        if frames is None or len(frames.data) > BLOCK_BYTES:
            for reader in list(cohort.readers):
                self._move_to_own_task(reader, None)
            return
        cohort.cursor = frames.cursor
        if frames.data:
            self._write(cohort, frames.data)
            if channel.every_s:
                for reader in list(cohort.readers):
                    self._rest(reader)

    def _write(self, cohort: Cohort, data: bytes) -> None:
        """Send to every reader of the cohort. A failure must not disturb the others."""
        message: Message = {
            "type": "http.response.body",
            "body": data,
            "more_body": True,
        }
        cohort.written_at = perf_counter()
        for reader in list(cohort.readers):
            blocked = step(reader, message)
            if blocked:
                self._move_to_own_task(reader, blocked)

    def _move_to_own_task(self, reader: Reader, blocked: Blocked | None) -> None:
        reader.leave_cohort()
        self._catch_up_soon(reader, blocked)

    def _rest(self, reader: Reader) -> None:
        """Let the reader wait for `every_s` before its next send."""
        if self._tasks:
            reader.leave_cohort()
            reader.resting, reader.catch_up = True, anyio.CancelScope()
            self._tasks.start_soon(self._catch_up, reader, None)

    def _catch_up_soon(self, reader: Reader, blocked: Blocked | None) -> None:
        is_at_head = reader.cursor == self._feed.head and reader.opening is None
        if blocked is None and is_at_head:
            self._join(reader)
        elif self._tasks:
            reader.catch_up, reader.since = anyio.CancelScope(), time()
            self._tasks.start_soon(self._catch_up, reader, blocked)

    def _join(self, reader: Reader) -> None:
        channel = self._channels.get(reader.subscription)
        if channel is None:
            channel = self._channels[reader.subscription] = Channel(
                self._feed, *reader.subscription
            )
        channel.join(reader)

    async def _catch_up(self, reader: Reader, blocked: Blocked | None) -> None:
        """Write to one reader in its own task, until it joins a cohort at the head."""
        scope = reader.catch_up
        if scope is None:
            return
        with scope:
            try:
                if blocked:
                    reader.send_began_at = monotonic()
                    await blocked
                    reader.send_began_at = None
                await send_opening(reader, self._readers)
                sent_fault = self._sent_fault if reader.resting else None
                # `send` also returns after a disconnect, so check `_readers`.
                while reader in self._readers:
                    if reader.resting:
                        await asyncio.sleep(reader.subscription.every_s)
                        reader.resting = False
                    elif reader.cursor < self._feed.head:
                        await send_next(self._feed, reader, self._readers)
                        at_head = reader.cursor == self._feed.head
                        reader.resting = at_head and reader.subscription.every_s > 0
                    elif sent_fault != self._feed.fault and reader.where.matches_kind(
                        FAULT
                    ):
                        sent_fault = self._feed.fault
                        await send_body(reader, self._feed.fault_frame())
                    else:
                        self._join(reader)
                        reader.since = time()
                        break
                    # A reader that never blocks must not delay the others.
                    await asyncio.sleep(0)
            except (CursorExpired, LogError) as error:
                reader.catch_up = None
                self._cut(reader, str(error))
            except Exception:
                logger.exception(Line(reader="failed", cursor=reader.cursor))
                reader.disconnect()
            finally:
                reader.catch_up, reader.resting = None, False
                reader.opening = reader.send_began_at = None
        if self._stopped and reader in self._readers:
            self._end(reader)

    def _cut(self, reader: Reader, why: str) -> None:
        logger.warning(Line(reader="cut", cursor=reader.cursor, cause=why))
        self._end(reader, f": cut: {why}\n\n".encode())

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_S / 3)
            cut_stalled(self._feed, self._readers, await self._feed.bounds())
            await self._ping_quiet_cohorts()

    async def _ping_quiet_cohorts(self) -> None:
        # Not in `_ping`: its variables would keep a removed cohort during the sleep.
        due = perf_counter() - PING_S
        for channel in list(self._channels.values()):
            for cohort in list(channel.cohorts):
                if cohort.written_at < due:
                    self._write(cohort, PING)
                    await asyncio.sleep(0)
