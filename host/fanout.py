"""Owns delivery: every reader of the feed, and the one scheduler that writes to them.

Readers at the same cursor stand in cohorts. A round visits each cohort once and
hands every member the same bytes, by stepping its `send` by hand: a send that does
not block costs no task switch. One that blocks makes its reader a laggard, with a
task of its own until it has caught up. No reader has a queue.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Generator
from time import perf_counter
from typing import Any

import anyio
from anyio.abc import TaskGroup
from starlette.types import Message, Receive, Send

from host.errors import CursorExpired
from host.feed import Feed
from host.filter import Filter
from host.ring import Piece

logger = logging.getLogger("courtside.fanout")

COHORT = 64
SLICE_S = 0.0005  # Without slices 5,000 readers stalled the loop 84 ms at p99.
REST_SHARE = 0.1  # Of the time: coalesces under load; 0.3 doubled p99 at 5,000 readers.
REST_FROM_S, LEAST_REST_S = 0.001, 0.002
PING_S = 15.0
PING = b": ping\n\n"


class Reader:
    """One open response: where to write, what it wants, the last event it has."""

    __slots__ = ("cohort", "cursor", "hung_up", "lagging", "send", "task", "where")

    def __init__(self, send: Send, where: Filter, cursor: int) -> None:
        self.send = send
        self.where = where
        self.cursor = cursor  # While it stands in a cohort, the cohort's counts.
        self.cohort: Cohort | None = None
        self.lagging: anyio.CancelScope | None = None
        self.task = asyncio.current_task()
        self.hung_up = False

    def hang_up(self) -> None:
        """Ends the request of a reader that takes nothing, not even an end.

        By its task: an anyio scope of its own would cost each reader 1 kB more.
        """
        self.hung_up = True
        if self.task:
            self.task.cancel()


class Cohort:
    """Readers of one channel at one cursor."""

    __slots__ = ("cursor", "readers", "written_at")

    def __init__(self, cursor: int) -> None:
        self.cursor = cursor
        self.readers: dict[Reader, None] = {}
        self.written_at = perf_counter()


class Channel:
    """The readers that want the same events."""

    __slots__ = ("_cached", "_feed", "cohorts", "where")

    def __init__(self, feed: Feed, where: Filter) -> None:
        self._feed = feed
        self.where = where
        self.cohorts: list[Cohort] = []
        self._cached: tuple[int, int, Piece | None] = (-1, -1, None)

    def ready(self, cursor: int) -> Piece | None:
        """As Feed.ready, made once for all cohorts at the same cursor."""
        at, head, piece = self._cached
        if at != cursor or head != self._feed.head:
            piece = self._feed.ready(cursor, self.where)
            self._cached = (cursor, self._feed.head, piece)
        return piece

    def join(self, reader: Reader) -> None:
        for cohort in reversed(self.cohorts[-2:]):
            if cohort.cursor == reader.cursor and len(cohort.readers) < COHORT:
                break
        else:
            cohort = Cohort(reader.cursor)
            self.cohorts.append(cohort)
        cohort.readers[reader] = None
        reader.cohort = cohort

    def compact(self) -> None:
        """Merges what departures and laggards have thinned out."""
        full: list[Cohort] = []
        for cohort in self.cohorts:
            into = full[-1] if full else None
            if (
                into is not None
                and into.cursor == cohort.cursor
                and len(into.readers) + len(cohort.readers) <= COHORT
            ):
                into.readers.update(cohort.readers)
                for reader in cohort.readers:
                    reader.cohort = into
            elif cohort.readers:
                full.append(cohort)
        self.cohorts = full


class Fanout:
    """`run` it in a task group; each request then calls `serve`."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._channels: dict[Filter, Channel] = {}
        self._readers: set[Reader] = set()
        self._tasks: TaskGroup | None = None
        self._stopped = False

    async def run(self) -> None:
        async with anyio.create_task_group() as self._tasks:
            self._tasks.start_soon(self._ping)
            while True:
                await self._feed.published()
                await self._deliver()

    async def serve(
        self, where: Filter, cursor: int, receive: Receive, send: Send
    ) -> None:
        """Writes what follows `cursor` until the reader goes away or `stop`."""
        reader = Reader(send, where, cursor)
        self._readers.add(reader)
        try:
            if self._stopped:
                self._end(reader)
            else:
                self._catch_up_soon(reader, None)
            while (await receive())["type"] != "http.disconnect":
                pass
        except asyncio.CancelledError:
            if not reader.hung_up:
                raise
        finally:
            self._leave(reader)

    def stop(self) -> None:
        """Ends every response; the reader comes back with its cursor elsewhere."""
        self._stopped = True
        for reader in list(self._readers):
            self._end(reader)

    def _end(self, reader: Reader) -> None:
        if reader.lagging:
            reader.lagging.cancel()
        if _step(reader.send({"type": "http.response.body", "body": b""})):
            reader.hang_up()

    def _leave(self, reader: Reader) -> None:
        self._readers.discard(reader)
        if reader.cohort:
            reader.cohort.readers.pop(reader, None)
        if reader.lagging:
            reader.lagging.cancel()

    async def _deliver(self) -> None:
        """Rounds until every cohort is at the head, resting between them."""
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
        for where, channel in list(self._channels.items()):
            channel.compact()
            if not channel.cohorts:
                del self._channels[where]
            for cohort in list(channel.cohorts):
                self._flush(channel, cohort)
                if perf_counter() > slice_ends:
                    await asyncio.sleep(0)
                    slice_ends = perf_counter() + SLICE_S

    def _flush(self, channel: Channel, cohort: Cohort) -> None:
        piece = channel.ready(cohort.cursor)
        if piece is None:  # Out of the ring: each goes on alone, from the log.
            for reader in list(cohort.readers):
                self._fall_behind(reader, None)
            return
        cohort.cursor = piece.cursor
        if piece.data:
            self._write(cohort, piece.data)

    def _write(self, cohort: Cohort, data: bytes) -> None:
        """Steps every member's send. One that fails must not disturb the others."""
        message: Message = {
            "type": "http.response.body",
            "body": data,
            "more_body": True,
        }
        cohort.written_at = perf_counter()
        for reader in list(cohort.readers):
            blocked = _step(reader.send(message))
            if blocked:
                self._fall_behind(reader, blocked)

    def _fall_behind(self, reader: Reader, blocked: _Blocked | None) -> None:
        if reader.cohort:
            reader.cursor = reader.cohort.cursor
            del reader.cohort.readers[reader]
            reader.cohort = None
        self._catch_up_soon(reader, blocked)

    def _catch_up_soon(self, reader: Reader, blocked: _Blocked | None) -> None:
        if blocked is None and reader.cursor == self._feed.head:
            self._join(reader)
        elif self._tasks:
            reader.lagging = anyio.CancelScope()
            self._tasks.start_soon(self._catch_up, reader, blocked)

    def _join(self, reader: Reader) -> None:
        where = reader.where
        channel = self._channels.get(where)
        if channel is None:
            channel = self._channels[where] = Channel(self._feed, where)
        channel.join(reader)

    async def _catch_up(self, reader: Reader, blocked: _Blocked | None) -> None:
        """A laggard's own task: until it is at the head and stands in a cohort."""
        scope = reader.lagging
        if scope is None:
            return
        with scope:
            try:
                if blocked:
                    await blocked
                while reader.cursor < self._feed.head:
                    await self._next(reader)
                    # A reader that never blocks must not keep the others waiting.
                    await asyncio.sleep(0)
                self._join(reader)
            except CursorExpired as error:
                self._cut(reader, str(error))
            except Exception:
                logger.exception("reader=failed")
                reader.hang_up()
        reader.lagging = None

    async def _next(self, reader: Reader) -> None:
        piece = self._feed.ready(reader.cursor, reader.where)
        if piece is None:
            piece = await self._feed.replay(reader.cursor, reader.where)
        reader.cursor = piece.cursor
        if piece.data:
            await reader.send(
                {"type": "http.response.body", "body": piece.data, "more_body": True}
            )

    def _cut(self, reader: Reader, why: str) -> None:
        logger.warning("reader=cut cursor=%s cause=%r", reader.cursor, why)
        last = {"type": "http.response.body", "body": f": cut: {why}\n\n".encode()}
        if _step(reader.send(last)):
            reader.hang_up()

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_S / 3)
            due = perf_counter() - PING_S
            for channel in list(self._channels.values()):
                for cohort in list(channel.cohorts):
                    if cohort.written_at < due:
                        self._write(cohort, PING)
                        await asyncio.sleep(0)


class _Blocked:
    """A send that was begun by hand and waits: `await` it to finish it."""

    def __init__(self, send: Coroutine[Any, Any, None], waits_for: Any) -> None:
        self._send = send
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        waits_for = self._waits_for
        try:
            while True:
                try:
                    value = yield waits_for
                except BaseException as error:
                    waits_for = self._send.throw(error)
                else:
                    waits_for = self._send.send(value)
        except StopIteration:
            return


def _step(send: Any) -> _Blocked | None:
    """Drives a send as far as it goes; None when that was to its end.

    A send that raises counts as done: its reader is gone, and its request hears
    so by `receive`.
    """
    try:
        return _Blocked(send, send.send(None))
    except StopIteration:
        return None
    except Exception as error:
        logger.info("reader=gone cause=%r", error)
        return None
