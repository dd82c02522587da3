"""Reads one task from the feed as a stream of numbered updates.

The number is the reader's position, so the host keeps no state per reader.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import cast

import anyio

from ..clients.bindings.json_errors import UpdatesGone
from ..errors import CursorExpired
from ..feed.feed import PAGE, Feed
from ..feed.local_reader import watch_batches
from ..log.contract import Row
from ..model.event import GapEvent, TaskEvent, decode
from ..model.filter import Filter
from .a2a_updates import FeedEvent, TaskBuilder, Updates, build_update

UPDATES = frozenset(["task", "artifact", "gap"])


class TaskStream:
    """The updates of one task. The host numbers them from 1.

    The host's own notices, and the rows that go with them, are not updates.
    """

    def __init__(self, feed: Feed, agent: str, task_id: str) -> None:
        self._feed = feed
        self._agent = agent
        self.task_id = task_id
        self._filter = Filter(
            agent=frozenset([agent]), task=frozenset([task_id]), kind=UPDATES
        )
        self._rows_only = self._filter._replace(kind=frozenset(["task"]))

    async def read_row(self) -> TaskEvent | None:
        """Return the task's current row, None if the feed does not know the task."""
        row = self._feed.board.task(self._agent, self.task_id)
        return row or await self._row_before(self._feed.head + 1)

    async def wait_for_row(self, after: int, timeout_s: float) -> int | None:
        """Return the event id of the first row after `after`, None on timeout."""
        with anyio.move_on_after(timeout_s):
            try:
                async with aclosing(
                    watch_batches(self._feed, self._rows_only, after)
                ) as found:
                    rows = await anext(found, None)
                    return rows[0].id if rows else None
            except CursorExpired:
                return self._feed.head  # The row came, and was trimmed.
        return None

    async def read_task(self, at: int | None = None) -> Updates:
        """Yield the Task as of event `at`, by default as of now, then all updates."""
        head = at or self._feed.head
        builder = TaskBuilder(self._agent, self.task_id)
        after = 0
        while rows := await self._feed.history(after, head + 1, PAGE, self._filter):
            for row in rows:
                event = _decode(row)
                if event.is_update:
                    builder.add(row.id, row.version, event)
            after = rows[-1].id
        if builder.known.row is None:
            # The board keeps rows longer than the feed keeps events.
            builder.known.row = self._feed.board.task(self._agent, self.task_id)
        builder.number = builder.number or await self._newest_number()
        row_id = builder.row_id
        task = builder.build(await self._feed.raw(row_id) if row_id else None)
        yield [task]
        if task.is_terminal:
            return
        # From the head, not from the task's last event: that one may be trimmed soon.
        updates = self._read(head, builder.number, builder.known.row)
        async with aclosing(updates):
            async for batch in updates:
                yield batch

    async def read_after(self, number: int) -> Updates:
        """Yield the updates after update `number`, until the task ends.

        Raises UpdatesGone if the feed does not have them, or never had update `number`.
        """
        head, row = self._feed.head, await self.read_row()
        cursor = await self._find_cursor(number, head)
        if cursor is None:
            if row and not row.is_open:
                return
            cursor = head
            yield []  # The response begins now: the next update may take long.
        async with aclosing(self._read(cursor, number, None)) as updates:
            async for batch in updates:
                yield batch

    async def _read(self, cursor: int, number: int, row: TaskEvent | None) -> Updates:
        """Yield the updates after event `cursor`; the first has `number` + 1.

        `row` is the task's row at the cursor, if it is known.
        """
        try:
            async with aclosing(
                watch_batches(self._feed, self._filter, cursor)
            ) as found:
                async for batch in found:
                    rows = [one for one in batch if one.version]
                    if not rows:
                        continue  # The host's own rows.
                    raws = await asyncio.gather(*(self._feed.raw(r.id) for r in rows))
                    updates = []
                    for place, raw in zip(rows, raws, strict=True):
                        number += 1
                        if place.version != number:
                            raise self._gone(number - 1, place.version, place.version)
                        event = _decode(place)
                        if isinstance(event, GapEvent) and row is None:
                            row = await self._row_before(place.id)
                        updates.append(build_update(event, number, raw, row))
                        if isinstance(event, TaskEvent):
                            row = event
                    yield updates
                    if updates[-1].is_terminal:
                        return
        except CursorExpired:
            newest = await self._newest_number()
            raise self._gone(number, newest + 1, newest) from None

    async def _find_cursor(self, number: int, head: int) -> int | None:
        """Return the event id before update `number` + 1, None if it is still to come.

        Raises UpdatesGone.
        """
        before, newest = head + 1, 0
        while rows := await self._feed.history(None, before, PAGE, self._filter):
            before = rows[0].id
            rows = [row for row in rows if row.version]  # Old logs have no numbers.
            newest = newest or (rows[-1].version if rows else 0)
            if not rows or number >= newest:
                break
            if rows[0].version <= number + 1:
                return next(row.id for row in rows if row.version == number + 1) - 1
        newest = newest or await self._newest_number()
        if number == newest:
            return None
        rows = await self._feed.history(0, None, PAGE, self._filter)
        oldest = next((row.version for row in rows if row.version), newest + 1)
        raise self._gone(number, oldest, newest)

    def _gone(self, number: int, oldest: int, newest: int) -> UpdatesGone:
        return UpdatesGone(
            f"Updates after {number} are no longer stored: the host has {oldest} to "
            f"{newest}; subscribe without Last-Event-ID to begin with the task",
            {"oldest": str(oldest), "newest": str(newest)},
        )

    async def _row_before(self, event_id: int) -> TaskEvent | None:
        rows = await self._feed.history(None, event_id, 1, self._rows_only)
        event = decode(rows[0].body) if rows else None
        return event if isinstance(event, TaskEvent) else None

    async def _newest_number(self) -> int:
        return await self._feed.high_water(f"{self._agent}/{self.task_id}")


def _decode(row: Row) -> FeedEvent:
    # No other events have a task.
    return cast("FeedEvent", decode(row.body))
