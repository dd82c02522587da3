"""Owns the writing of one task's events into the feed, numbered one by one.

The follower adds events as they come; they go to the feed together, while the next
are on their way.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import anyio

from ..feed.feed import Feed, FeedClosed
from ..log.contract import Entry
from ..model.event import Event, decode
from ..model.filter import Filter
from ..protocol.task_knowledge import Known

MAX_WAITING, MAX_WAITING_BYTES = 1_000, 4 * 1024 * 1024
PAGE = 1_000


class Record:
    """`recall` first; what is added is written by `write`, started for it."""

    def __init__(self, agent: str, task_id: str, feed: Feed) -> None:
        self._agent = agent
        self._task_id = task_id
        self._source = f"{agent}/{task_id}"
        self._feed = feed
        self._version = 0
        self._waiting: list[Entry] = []
        self._bytes = 0
        self._written = anyio.Event()
        self.is_writing = False

    async def recall(self, known: Known) -> bool:
        """Notes what the feed says of the task. Returns whether it says anything.

        Waits for what was given to it already: an agent told again what is on its way
        would be heard twice.
        """
        self._version = await self._feed.settled(self._source)
        if not self._version:
            return False
        where = Filter(agent=frozenset([self._agent]), task=frozenset([self._task_id]))
        cursor = 0
        while rows := await self._feed.history(cursor, None, PAGE, where):
            known.note(decode(row.body) for row in rows)
            cursor = rows[-1].id
        # The board outlives the events that were trimmed.
        row = self._feed.board.task(self._agent, self._task_id)
        if row and known.row is None:
            known.note([row])
        return True

    def add(self, events: Sequence[Event], raw: bytes | None) -> None:
        """Events in their order, with the A2A update that they came from."""
        for event in events:
            self._version += 1
            entry = Entry.of(self._source, self._version, event, raw)
            self._waiting.append(entry)
            self._bytes += len(entry.body) + len(raw or b"")

    def begin(self) -> bool:
        """Whether `write` must be started for what was added."""
        if self.is_writing or not self._waiting:
            return False
        self.is_writing = True
        self._written = anyio.Event()
        return True

    async def write(self) -> None:
        """Returns when all that was added is durable, however long the log takes."""
        try:
            while self._waiting:
                entries, self._waiting, self._bytes = self._waiting, [], 0
                await self._feed.append(entries)
        except anyio.get_cancelled_exc_class():
            # In their order all the same: `recall` waits for them.
            with suppress(FeedClosed):
                self._feed.give(self._waiting)
            raise
        finally:
            self.is_writing = False
            self._written.set()

    async def room(self) -> None:
        """Waits while too much is on its way: whoever sends must wait, too."""
        if len(self._waiting) > MAX_WAITING or self._bytes > MAX_WAITING_BYTES:
            await self._written.wait()

    async def written(self) -> None:
        """Returns when nothing is on its way."""
        if self.begin():
            await self.write()
        elif self.is_writing:
            await self._written.wait()
