"""Writes one task's events into the feed, numbered one by one.

Events that arrive during a commit are written together afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import anyio
from anyio.abc import TaskGroup
from msgspec import UNSET

from ..feed.commit_queue import FeedClosed
from ..feed.feed import Feed
from ..log.contract import NOTICES, Entry
from ..model.event import Event, GapEvent, decode
from ..model.filter import Filter
from ..protocol.task_record import TaskRecord

MAX_WAITING, MAX_WAITING_BYTES = 1_000, 4 * 1024 * 1024
MAX_AGENT_BYTES = 16 * 1024 * 1024  # Of all tasks of the agent.


class TaskWriter:
    """Call `load` first. `add` takes events, `start` or `flush` writes them."""

    def __init__(self, agent: str, task_id: str, feed: Feed) -> None:
        self._agent = agent
        self._task_id = task_id
        self._source = f"{agent}/{task_id}"
        self._feed = feed
        self._budget = feed.budget(agent)
        self._version = 0
        self._notice_version = 0
        self._last_gap: str | None = None
        self._waiting: list[Entry] = []
        self._bytes = 0
        self._written = anyio.Event()
        self.is_writing = False

    async def load(self, record: TaskRecord) -> bool:
        """Add the feed's events of the task to `record`. Return whether there are any.

        Waits for the events that an earlier writer of the task left to the feed.
        Without them, the agent's next updates would be written twice.
        """
        self._version = await self._feed.committed_version(self._source)
        if not self._version:
            return False
        notices = f"{NOTICES}{self._source}"
        self._notice_version = await self._feed.committed_version(notices)
        where = Filter(agent=frozenset([self._agent]), task=frozenset([self._task_id]))
        cursor = 0
        while rows := await self._feed.readable(cursor, where):
            record.add(decode(row.body) for row in rows)
            cursor = rows[-1].id
        # The board keeps rows whose events were trimmed.
        row = self._feed.board.task(self._agent, self._task_id)
        if row and record.row is None:
            record.add([row])
        return True

    def add(self, events: Sequence[Event], raw: bytes | None = None) -> None:
        """Add events in their order. `raw` is the A2A update that they came from."""
        for event in events:
            if not event.is_update:
                self._add_notice(event)
                continue
            gap = event if isinstance(event, GapEvent) else None
            if gap and gap.missing is UNSET and gap.message == self._last_gap:
                continue  # It is written once, however often the cause comes back.
            self._last_gap = gap.message if gap else None
            self._version += 1
            self._wait(Entry.of(self._source, self._version, event, raw))

    def _add_notice(self, event: Event) -> None:
        self._notice_version += 1
        source = f"{NOTICES}{self._source}"
        self._wait(Entry.of(source, self._notice_version, event))

    def _wait(self, entry: Entry) -> None:
        self._waiting.append(entry)
        self._bytes += entry.size
        self._budget.unwritten += entry.size

    def start(self, group: TaskGroup) -> None:
        """Write the added events in the background, if no write is under way."""
        if self._begin():
            group.start_soon(self._write)

    async def wait_for_room(self) -> None:
        """Wait while too many events are unwritten, to slow down the sender."""
        is_full = len(self._waiting) > MAX_WAITING or self._bytes > MAX_WAITING_BYTES
        if is_full or (self._waiting and self._budget.unwritten > MAX_AGENT_BYTES):
            await self._written.wait()

    async def flush(self) -> None:
        """Return when all added events are durable."""
        if self._begin():
            await self._write()
        elif self.is_writing:
            await self._written.wait()

    def _begin(self) -> bool:
        if self.is_writing or not self._waiting:
            return False
        self.is_writing = True
        self._written = anyio.Event()
        return True

    async def _write(self) -> None:
        try:
            while self._waiting:
                await self._budget.wait()
                self._budget.spend(self._bytes)
                await self._feed.append(self._take())
        except anyio.get_cancelled_exc_class():
            # The feed still writes them, in order. `load` waits for that.
            with suppress(FeedClosed):
                self._feed.submit(self._take())
            raise
        finally:
            self.is_writing = False
            self._written.set()

    def _take(self) -> list[Entry]:
        entries, self._waiting = self._waiting, []
        self._budget.unwritten -= self._bytes
        self._bytes = 0
        return entries
