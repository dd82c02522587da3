"""Commits entries to the log in batches, and gives them to the feed to publish.

The next batch collects while a commit runs. A commit that fails is tried again until it
succeeds, unless the log can never accept one of its entries: then that entry is
replaced, and the others are committed without it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from math import inf
from time import perf_counter, time
from typing import Protocol

from ..errors import LogError, LogRefused
from ..log.contract import MAX_ROW_BYTES, Entry, Log, Row, refuse_size
from ..model.debug_state import Commit
from ..model.event import Event
from ..model.histogram import DurationHistogram
from ..model.timestamps import format_timestamp
from ..observability.logfmt import Line
from .refused_entry import replace_refused

logger = logging.getLogger("courtside.feed")

MAX_BATCH, MAX_BATCH_BYTES = 5_000, 32 * 1024 * 1024
MAX_AGENT_BYTES = 2 * 1024 * 1024
COMMIT_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
RETRY_S = 1.0


class FeedClosed(Exception):
    """The host is shutting down. The feed accepts no more events."""


class Publisher(Protocol):
    """Publishes committed events."""

    def publish(self, row: Row, event: Event) -> None: ...

    async def publish_from_log(self) -> None:
        """Publish what is in the log. After a failure only the log knows the ids."""

    def notify(self) -> None:
        """Something was published, or `failure` has changed."""


class CommitQueue:
    """Call `submit`, and run `run` until `close`."""

    def __init__(self, log: Log, publisher: Publisher) -> None:
        self.durations = DurationHistogram(*COMMIT_S)
        self.last_commit: Commit | None = None
        self.failure: LogError | None = None
        self.refused = 0
        self.is_closed = False
        self._log = log
        self._publisher = publisher
        self._pending: list[tuple[Sequence[Entry], asyncio.Future[None]]] = []
        self._committing: list[Entry] = []
        self._arrived = asyncio.Event()

    def submit(self, entries: Sequence[Entry]) -> asyncio.Future[None]:
        """Append without waiting. The future is done when the entries are durable."""
        if self.is_closed:
            raise FeedClosed
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append((entries, done))
        self._arrived.set()
        return done

    def not_durable(self) -> Iterator[Entry]:
        """Iterate over the entries that are not durable yet."""
        yield from self._committing
        for entries, _ in self._pending:
            yield from entries

    def close(self) -> None:
        """Accept no more entries. `run` commits the waiting ones and returns."""
        self.is_closed = True
        self._arrived.set()

    async def run(self) -> None:
        while self._pending or not self.is_closed:
            if not self._pending:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            self._committing, waiting = self._take()
            await self._commit(self._committing)
            self._committing = []
            for done in waiting:
                if not done.done():
                    done.set_result(None)

    def _take(self) -> tuple[list[Entry], list[asyncio.Future[None]]]:
        """Take the next batch, in which one agent's large entries delay no other."""
        entries: list[Entry] = []
        waiting: list[asyncio.Future[None]] = []
        left: list[tuple[Sequence[Entry], asyncio.Future[None]]] = []
        sizes: dict[str, float] = defaultdict(float)
        total = 0
        for some, done in self._pending:
            size = sum(entry.size for entry in some)
            agent = some[0].place.agent if some else ""
            is_full = len(entries) + len(some) > MAX_BATCH
            is_full |= total + size > MAX_BATCH_BYTES
            has_much = sizes[agent] > 0 and sizes[agent] + size > MAX_AGENT_BYTES
            if entries and (is_full or has_much):
                sizes[agent] = inf  # Its entries stay in order.
                left.append((some, done))
                continue
            sizes[agent] += size
            total += size
            entries.extend(some)
            waiting.append(done)
        self._pending = left
        return entries, waiting

    async def _commit(self, entries: list[Entry]) -> None:
        """Commit all entries in order, each or its replacement."""
        try:
            return await self._append(entries)
        except LogRefused as error:
            cause = error
        if any(entry.size > MAX_ROW_BYTES for entry in entries):
            await self._commit([*self._fit(entries)])
        elif len(entries) > 1:
            half = len(entries) // 2
            await self._commit(entries[:half])
            await self._commit(entries[half:])
        else:
            await self._commit_instead(entries[0], cause)

    def _fit(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Yield the entries that are small enough, and replacements of the others."""
        for entry in entries:
            if entry.size <= MAX_ROW_BYTES:
                yield entry
            elif instead := self._replace(entry, refuse_size(entry)):
                yield instead

    async def _commit_instead(self, entry: Entry, cause: LogRefused) -> None:
        instead = self._replace(entry, cause)
        try:
            if instead:
                await self._append([instead])
        except LogRefused as error:
            logger.error(Line(event="dropped", source=entry.source, cause=error))

    def _replace(self, entry: Entry, cause: LogRefused) -> Entry | None:
        self.refused += 1
        logger.error(
            Line(event="refused", source=entry.source, bytes=entry.size, cause=cause)
        )
        return replace_refused(entry, cause)

    async def _append(self, entries: list[Entry]) -> None:
        """Append until it succeeds. A failed append may have been stored.

        Raises LogRefused if no attempt can succeed.
        """
        while True:
            try:
                began = perf_counter()
                ids = await self._log.append(entries)
                took_s = perf_counter() - began
                if self.failure:
                    await self._publisher.publish_from_log()
            except LogRefused:
                raise
            except LogError as error:
                if self.failure is None:
                    logger.error(Line(log="failing", cause=error, retry_s=RETRY_S))
                self.failure = error
                self._publisher.notify()
                await asyncio.sleep(RETRY_S)
                continue
            break
        self.durations.add(took_s)
        self.last_commit = Commit(format_timestamp(time()), took_s, len(entries))
        if self.failure:
            logger.warning(Line(log="writing"))
            self.failure = None
        else:
            for event_id, entry in zip(ids, entries, strict=True):
                if event_id is not None:
                    row = Row(event_id, entry.place, entry.body, entry.number)
                    self._publisher.publish(row, entry.event)
        self._publisher.notify()
