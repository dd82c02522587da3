"""Reads events inside this process: first from the log, then live.

The gateway, the orchestrator and TaskManager use it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from ..errors import CursorExpired
from ..log.contract import Row
from ..model.filter import Filter
from .feed import PAGE, Feed

# The memory of a slow reader. It reads the rest from the log.
MAX_ROWS, MAX_BYTES = 1_000, 1024 * 1024


async def watch(feed: Feed, where: Filter, after: int) -> AsyncGenerator[Row]:
    """Yield every event after the id `after` that `where` matches, in order, once.

    Waits at the head, and ends when the feed closes. With tasks in `where`, the events
    of other tasks do not wake it. Raises CursorExpired if the log dropped events after
    `after`.
    """
    async with aclosing(watch_batches(feed, where, after)) as some:
        async for rows in some:
            for row in rows:
                yield row


async def watch_batches(
    feed: Feed, where: Filter, after: int
) -> AsyncGenerator[list[Row]]:
    """Like `watch`, but yield all available events at a time, at least one."""
    inbox = _Inbox(where, feed.head)
    with feed.listeners.listen(where.task, inbox.put):
        cursor = after
        while True:
            while cursor < inbox.since:
                since = inbox.since
                rows = await feed.history(cursor, since + 1, PAGE, where)
                kept = await feed.bounds()
                if cursor + 1 < kept.first:
                    raise CursorExpired(
                        f"events up to {kept.first - 1} are no longer kept"
                    )
                cursor = rows[-1].id if rows else since
                if rows:
                    yield rows
            if fresh := inbox.take_after(cursor):
                cursor = fresh[-1].id
                yield fresh
            elif inbox.closed:
                return
            elif cursor >= inbox.since:
                await inbox.wait()
                cursor = max(cursor, inbox.quiet_until)


class _Inbox:
    """The matching events after `since`. If they become too many, it drops them."""

    def __init__(self, where: Filter, since: int) -> None:
        self.since = since
        self.quiet_until = 0  # Nothing up to this id matched since the last read.
        self.closed = False
        self._where = where
        self._rows: list[Row] = []
        self._bytes = 0
        self._wake: asyncio.Event | None = None

    def put(self, row: Row | None) -> None:
        if row is None:
            self.closed = True
        elif not self._where.matches(row.place):
            return
        else:
            if self._wake and not self._wake.is_set():
                self.quiet_until = row.id - 1
            self._rows.append(row)
            self._bytes += len(row.body)
            if len(self._rows) > MAX_ROWS or self._bytes > MAX_BYTES:
                self._rows.clear()
                self._bytes = 0
                self.since = row.id
        if self._wake:
            self._wake.set()

    def take_after(self, after: int) -> list[Row]:
        """Return the events after `after`, and forget them."""
        rows = [row for row in self._rows if row.id > after]
        self._rows.clear()
        self._bytes = 0
        return rows

    async def wait(self) -> None:
        """Return when there is something to read, or the feed has closed."""
        self._wake = asyncio.Event()
        await self._wake.wait()
        self._wake = None
