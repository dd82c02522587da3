"""Owns one task as a stream of numbered updates, read from the feed.

A reader is a number: nothing is kept for it. The gateway's operations read with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

import anyio

from ..clients.bindings.a2a_errors import UpdatesGone
from ..errors import CursorExpired
from ..feed.feed import PAGE, Feed
from ..feed.watch import pages
from ..log.contract import Row
from ..model.event import GapEvent, TaskEvent, decode
from ..model.filter import Filter
from .task_updates import Fold, Numbered, Told, update_of


class Tape:
    """The updates of one task of one agent, numbered from 1 by the host."""

    def __init__(self, feed: Feed, agent: str, task_id: str) -> None:
        self._feed = feed
        self._agent = agent
        self._task_id = task_id
        self._where = Filter(agent=frozenset([agent]), task=frozenset([task_id]))
        self._rows_alone = self._where._replace(kind=frozenset(["task"]))

    async def row(self) -> TaskEvent | None:
        """The task's row, None where the feed does not know the task."""
        row = self._feed.board.task(self._agent, self._task_id)
        return row or await self._row_before(self._feed.head + 1)

    async def news(self, since: int, deadline_s: float) -> int | None:
        """The id of the task's first row past the id `since`, None where there is none
        in time."""
        with anyio.move_on_after(deadline_s):
            try:
                stream = pages(self._feed, self._rows_alone, since)
                async with aclosing(stream) as found:
                    rows = await anext(found, None)
                    return rows[0].id if rows else None
            except CursorExpired:
                return self._feed.head  # It is long past.
        return None

    async def from_task(self, at: int | None = None) -> AsyncGenerator[list[Numbered]]:
        """First the Task as it was at the event `at`, or is now, then what follows."""
        head = at or self._feed.head
        fold = Fold(self._agent, self._task_id)
        after = 0
        while rows := await self._feed.history(after, head + 1, PAGE, self._where):
            for row in rows:
                fold.note(row.id, row.version, _told(row))
            after = rows[-1].id
        if fold.known.row is None:
            # The board outlives the events that were trimmed.
            fold.known.row = self._feed.board.task(self._agent, self._task_id)
        fold.number = fold.number or await self._high_water()
        task = fold.task(await self._feed.raw(fold.last) if fold.last else None)
        yield [task]
        if task.ends:
            return
        # At the head: events of others that are trimmed meanwhile do not matter.
        async with aclosing(self._from(head, fold.number, fold.known.row)) as rest:
            async for updates in rest:
                yield updates

    async def follow(self, after: int) -> AsyncGenerator[list[Numbered]]:
        """What came after update number `after`, then more as it comes, to the end of
        the task. Raises UpdatesGone where it is not kept, or never was."""
        head, row = self._feed.head, await self.row()
        place = await self._place(after, head)
        if place is None:
            if row and not row.is_open:
                return
            place = head
            # The answer begins now, though the next update may be long in coming.
            yield []
        async with aclosing(self._from(place, after, None)) as updates:
            async for some in updates:
                yield some

    async def _from(
        self, cursor: int, number: int, row: TaskEvent | None
    ) -> AsyncGenerator[list[Numbered]]:
        """The updates past the id `cursor`, of which the first is `number` + 1."""
        try:
            async with aclosing(pages(self._feed, self._where, cursor)) as read:
                async for rows in read:
                    raws = await asyncio.gather(*(self._feed.raw(r.id) for r in rows))
                    updates = []
                    for at, raw in zip(rows, raws, strict=True):
                        number += 1
                        if at.version != number:
                            raise self._gone(number - 1, at.version, at.version)
                        event = _told(at)
                        if isinstance(event, GapEvent) and row is None:
                            row = await self._row_before(at.id)
                        updates.append(update_of(event, number, raw, row))
                        if isinstance(event, TaskEvent):
                            row = event
                    yield updates
                    if updates[-1].ends:
                        return
        except CursorExpired:
            newest = await self._high_water()
            raise self._gone(number, newest + 1, newest) from None

    async def _place(self, after: int, head: int) -> int | None:
        """The id behind which update `after` + 1 stands; None where it is to come."""
        before, newest = head + 1, 0
        while rows := await self._feed.history(None, before, PAGE, self._where):
            before = rows[0].id
            # Those from before logs kept numbers have none.
            rows = [row for row in rows if row.version]
            newest = newest or (rows[-1].version if rows else 0)
            if not rows or after >= newest:
                break
            if rows[0].version <= after + 1:
                return next(row.id for row in rows if row.version == after + 1) - 1
        newest = newest or await self._high_water()
        if after == newest:
            return None
        raise self._gone(after, await self._oldest(newest), newest)

    async def _oldest(self, newest: int) -> int:
        rows = await self._feed.history(0, None, 1, self._where)
        return (rows[0].version if rows else 0) or newest + 1

    def _gone(self, after: int, oldest: int, newest: int) -> UpdatesGone:
        return UpdatesGone(
            f"What followed update {after} is not kept: the host has {oldest} to "
            f"{newest}; subscribe without Last-Event-ID to begin with the task",
            {"oldest": str(oldest), "newest": str(newest)},
        )

    async def _row_before(self, event_id: int) -> TaskEvent | None:
        rows = await self._feed.history(None, event_id, 1, self._rows_alone)
        event = decode(rows[0].body) if rows else None
        return event if isinstance(event, TaskEvent) else None

    async def _high_water(self) -> int:
        return await self._feed.high_water(f"{self._agent}/{self._task_id}")


def _told(row: Row) -> Told:
    # No other events have a task.
    return cast("Told", decode(row.body))
