"""Owns the feed: append → commit → publish, and the readers' cursors.

Collectors append; the stream reads. An event is in the log before any reader sees
it, and every reader sees the same ids in the same order. A reader is an integer:
there is no queue per reader, only the ring of the newest frames and, for those
behind it, the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from host.board import Board
from host.errors import LogError
from host.event import Event, decode, frame
from host.filter import ALL, Filter
from host.log import Bounds, Entry, Log, Row, kind_of, place_of

logger = logging.getLogger("courtside.feed")

RING = 20_000  # Frames of some 400 bytes: 8 MB, minutes of a busy court.
MAX_BATCH = 5_000
MAX_CHUNK = 1_000
CHECKPOINT_EVERY = 20_000  # Events to fold again at a start: some 0.1 s.
RETRY_S = 1.0


class Framed(NamedTuple):
    """A published event with its frame encoded once for all readers."""

    row: Row
    frame: bytes


class Page(NamedTuple):
    """What a reader gets next, and its cursor after that."""

    cursor: int
    frames: list[bytes]


class FeedClosed(Exception):
    """The host is shutting down: no more events for this reader."""


class Feed:
    """`open` it, `run` it in a task group, `close` it before the group ends."""

    def __init__(self, log: Log) -> None:
        self.board = Board()
        self.fault: str | None = None
        self._log = log
        self._ring: list[Framed] = []
        self._pending: list[tuple[Sequence[Entry], asyncio.Future[None]]] = []
        self._arrived = asyncio.Event()
        self._published = asyncio.Event()
        self._closed = False
        self._reading = True
        self._checkpointed = 0

    async def open(self) -> None:
        """Takes the board and the head from the log. Raises LogError."""
        self._loop = asyncio.get_running_loop()
        self.epoch, self.first, self.head = await self._log.bounds()
        saved = await self._log.checkpoint()
        at = 0
        if saved:
            at, board = saved
            self.board.restore(board)
        self._checkpointed = at
        while rows := await self._log.read(at, MAX_BATCH):
            for row in rows:
                self.board.fold(decode(row.body))
            at = rows[-1].id

    async def append(self, entries: Sequence[Entry]) -> None:
        """Returns when the entries are durable. One that the log has is left out.

        Waits as long as the log cannot be written; raises FeedClosed at the end.
        """
        if self._closed:
            raise FeedClosed
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append((entries, done))
        self._arrived.set()
        await done

    async def run(self) -> None:
        """The one writer: commits what has arrived, publishes it, wakes readers.

        While one commit runs, the next batch gathers; nothing else waits.
        """
        while True:
            if not self._pending:
                if self._closed:
                    return
                self._arrived.clear()
                await self._arrived.wait()
                continue
            entries, waiting = self._take()
            await self._commit(entries)
            for done in waiting:
                if not done.done():
                    done.set_result(None)
            await self._maintain()

    def _take(self) -> tuple[list[Entry], list[asyncio.Future[None]]]:
        entries: list[Entry] = []
        waiting: list[asyncio.Future[None]] = []
        taken = 0
        for some, done in self._pending:
            if entries and len(entries) + len(some) > MAX_BATCH:
                break
            entries.extend(some)
            waiting.append(done)
            taken += 1
        del self._pending[:taken]
        return entries, waiting

    async def _commit(self, entries: list[Entry]) -> None:
        """Appends until the log says yes; an append that failed may have happened."""
        while True:
            try:
                ids = await self._log.append(entries)
            except LogError as error:
                if self.fault is None:
                    logger.error("log=failing cause=%r retry_s=%s", error, RETRY_S)
                self.fault = str(error)
                await asyncio.sleep(RETRY_S)
                continue
            if self.fault is not None:
                logger.warning("log=writing again")
                self.fault = None
                await self._publish_from_log()
            else:
                self._publish(zip(ids, entries, strict=True))
            return

    def _publish(self, appended: zip[tuple[int | None, Entry]]) -> None:
        for event_id, entry in appended:
            if event_id is not None:
                place = place_of(entry.event)
                row = Row(event_id, kind_of(entry.event), *place, entry.body)
                self._ring.append(Framed(row, frame(self.epoch, event_id, row.body)))
                self.board.fold(entry.event)
                self.head = event_id
        if len(self._ring) > 2 * RING:
            del self._ring[:-RING]
        self._wake()

    async def _publish_from_log(self) -> None:
        """After a failure only the log knows which ids were given."""
        while rows := await self._log.read(self.head, MAX_BATCH):
            for row in rows:
                self._ring.append(Framed(row, frame(self.epoch, row.id, row.body)))
                self.board.fold(decode(row.body))
                self.head = row.id
        self._wake()

    def _wake(self) -> None:
        self._published.set()
        self._published = asyncio.Event()

    async def _maintain(self) -> None:
        if self.head - self._checkpointed >= CHECKPOINT_EVERY:
            await self._log.save_checkpoint(self.head, self.board.checkpoint())
            self._checkpointed = self.head

    def close_readers(self) -> None:
        """Ends every reader. Safe to call from a signal handler."""
        self._reading = False
        self._loop.call_soon_threadsafe(self._wake)

    def close(self) -> None:
        """Takes no more events; `run` commits what has arrived and returns."""
        self._closed = True
        self._arrived.set()

    def snapshot(self, reset: str | None = None) -> bytes:
        """The board as one SSE event; its id is the cursor to go on from.

        `reset` says why a reader that came with a cursor cannot have what followed.
        """
        data = msgspec.json.encode(
            {
                "id": self.head,
                "epoch": self.epoch,
                "reset": reset is not None,
                "reason": reset,
                "agents": list(self.board.agents.values()),
                "tasks": list(self.board.tasks()),
            }
        )
        name = f"{self.epoch}-{self.head}".encode()
        return b"event: snapshot\nid: %b\ndata: %b\n\n" % (name, data)

    async def after(self, cursor: int, where: Filter = ALL) -> Page:
        """What follows `cursor` now, at most MAX_CHUNK events; may be nothing."""
        if cursor >= self.head:
            return Page(cursor, [])
        oldest = self._ring[0].row.id if self._ring else self.head + 1
        if cursor + 1 < oldest:
            rows = await self._log.read(cursor, MAX_CHUNK, where)
            end = rows[-1].id if len(rows) == MAX_CHUNK else max(cursor, oldest - 1)
            rows = [row for row in rows if row.id <= end]
            return Page(end, [frame(self.epoch, row.id, row.body) for row in rows])
        start = cursor + 1 - oldest
        fresh = self._ring[start : start + MAX_CHUNK]
        frames = [
            framed.frame
            for framed in fresh
            if where == ALL
            or where.wants(
                framed.row.agent,
                framed.row.task_id,
                framed.row.context_id,
                framed.row.kind,
            )
        ]
        return Page(fresh[-1].row.id, frames)

    async def wait(self, cursor: int) -> None:
        """Returns when there is something after `cursor`. Raises FeedClosed."""
        while cursor >= self.head:
            if not self._reading:
                raise FeedClosed
            await self._published.wait()

    async def history(
        self, after: int | None, before: int | None, limit: int, where: Filter
    ) -> list[Row]:
        """Events between two ids, oldest first: the first after, or the last before."""
        if after is not None:
            rows = await self._log.read(after, limit, where)
            return [row for row in rows if before is None or row.id < before]
        return await self._log.tail(before or self.head + 1, limit, where)

    async def high_water(self, source: str) -> int:
        return await self._log.high_water(source)

    async def raw(self, event_id: int) -> bytes | None:
        return await self._log.raw(event_id)

    async def bounds(self) -> Bounds:
        return await self._log.bounds()


def decoded(row: Row) -> Event:
    """The event of a row."""
    return decode(row.body)
