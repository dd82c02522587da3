"""The feed: append → commit → publish.

One writer commits events to the log and publishes them: to the ring, to the board, and
to listeners. An event is durable before any reader sees it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Iterator, Sequence
from time import perf_counter, time
from typing import TypeVar

import msgspec

from ..errors import CursorExpired, LogDamaged, LogError
from ..log.contract import Bounds, Entry, Log, Row
from ..model.board import Board
from ..model.debug_state import Commit, FeedState
from ..model.event import Event, Snapshot, decode
from ..model.filter import ALL, Filter
from ..model.histogram import DurationHistogram
from ..model.sse import feed_frame, frame
from ..model.timestamps import format_timestamp, now
from ..observability.logfmt import Line
from .audience import Audience
from .listeners import Listeners
from .ring import Frames, Ring

logger = logging.getLogger("courtside.feed")

MAX_BATCH = 5_000
PAGE = 1_000
CHECKPOINT_EVERY = 20_000  # The next start folds at most this many: about 0.1 s.
ON_THE_BOARD = Filter(kind=frozenset({"task", "agent"}))
COMMIT_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
RETRY_S = 1.0

FAULT = "fault"
"""The SSE event name of `fault_frame`, and its name in a reader's `kind=`."""

T = TypeVar("T")


class FeedClosed(Exception):
    """The host is shutting down. The feed accepts no more events."""


class Feed:
    """Call `open`, then run `write` in a task group until `close`."""

    def __init__(
        self, log: Log, keep_events: int = 1_000_000, keep_s: float | None = None
    ) -> None:
        self.board = Board()
        self.published_by: Counter[tuple[str, str]] = Counter()  # Agent and kind.
        self.commits = DurationHistogram(*COMMIT_S)
        self._last_commit: Commit | None = None
        self._unwritten: LogError | None = None
        self._unread: LogError | None = None
        self._log = log
        self._keep = (keep_events, keep_s)
        self._pending: list[tuple[Sequence[Entry], asyncio.Future[None]]] = []
        self._committing: list[Entry] = []
        self._arrived = asyncio.Event()
        self._published = asyncio.Event()
        self._closed = False
        self.opened_at = ""
        self.listeners = Listeners()
        self.audience = Audience()

    async def open(self) -> None:
        """Load the board and the head from the log. Raises LogError."""
        self.opened_at = now()
        self.epoch, _, head = await self._log.bounds()
        self._ring = Ring(head)
        at = self._checkpointed = await self._restore()
        # Rows are complete, so the last row of each task and agent is enough.
        while rows := await self._log.latest(at, ON_THE_BOARD):
            for row in rows:
                self.board.fold(decode(row.body))
            at = rows[-1].id

    async def _restore(self) -> int:
        """Restore the saved board. Return the id of its last event, else 0."""
        event_id, board = await self._log.checkpoint() or (0, None)
        try:
            if board is not None:
                self.board.restore(board)
        except msgspec.DecodeError as error:
            logger.warning(Line(board="unreadable", cause=error))
            return 0
        return event_id

    @property
    def fault(self) -> str | None:
        """Why the log cannot be written or read now, or None."""
        error = self._unwritten or self._unread
        return str(error) if error else None

    @property
    def head(self) -> int:
        """The id of the newest published event."""
        return self._ring.head

    @property
    def queued(self) -> int:
        """The number of entries that are not durable yet."""
        return sum(1 for _ in self._not_durable())

    async def append(self, entries: Sequence[Entry]) -> None:
        """Append entries, and return when they are durable. Known versions are dropped.

        Waits while the log cannot be written. Raises FeedClosed.
        """
        await self.submit(entries)

    def submit(self, entries: Sequence[Entry]) -> asyncio.Future[None]:
        """Append without waiting. The future is done when the entries are durable."""
        if self._closed:
            raise FeedClosed
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append((entries, done))
        self._arrived.set()
        return done

    async def write(self) -> None:
        """Commit batches until `close`. The next batch collects while a commit runs."""
        while self._pending or not self._closed:
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
        entries: list[Entry] = []
        waiting: list[asyncio.Future[None]] = []
        for some, done in self._pending:
            if entries and len(entries) + len(some) > MAX_BATCH:
                break
            entries.extend(some)
            waiting.append(done)
        del self._pending[: len(waiting)]
        return entries, waiting

    async def _commit(self, entries: list[Entry]) -> None:
        """Append until it succeeds. A failed append may have been stored."""
        while True:
            try:
                began = perf_counter()
                ids = await self._log.append(entries)
                took_s = perf_counter() - began
                self.commits.add(took_s)
                self._last_commit = Commit(
                    format_timestamp(time()), took_s, len(entries)
                )
                if self._unwritten:
                    await self._publish_from_log()
            except LogError as error:
                if self._unwritten is None:
                    logger.error(Line(log="failing", cause=error, retry_s=RETRY_S))
                self._unwritten = error
                self._published.set()
                await asyncio.sleep(RETRY_S)
                continue
            break
        if self._unwritten:
            logger.warning(Line(log="writing"))
            self._unwritten = None
        else:
            for event_id, entry in zip(ids, entries, strict=True):
                if event_id is not None:
                    row = Row(event_id, entry.place, entry.body, entry.number)
                    self._publish(row, entry.event)
        self._published.set()

    async def _publish_from_log(self) -> None:
        """Publish what is in the log. After a failure only the log knows the ids."""
        while rows := await self._log.read(self.head, MAX_BATCH):
            for row in rows:
                self._publish(row, decode(row.body))

    def _publish(self, row: Row, event: Event) -> None:
        self._ring.append(row.place, feed_frame(self.epoch, row.id, row.body))
        self.board.fold(event)
        self.published_by[row.place.agent, row.place.kind] += 1
        self.listeners.notify(row)

    async def _guarded(self, read: Awaitable[T]) -> T:
        """Await a read, and keep its failure in `fault` until a read succeeds.

        A damaged log keeps its fault: the next read may see an undamaged part.
        """
        try:
            found = await read
        except LogError as error:
            if self._unread is None:
                logger.error(Line(log="unreadable", cause=error))
            self._unread = error
            self._published.set()
            raise
        if self._unread and not isinstance(self._unread, LogDamaged):
            logger.warning(Line(log="readable"))
            self._unread = None
            self._published.set()
        return found

    async def maintain(self) -> None:
        """Trim the log, and save the board when many events are new."""
        if self._unread:
            await self._guarded(self._log.tail(self.head + 1, 1))
        keep_events, keep_s = self._keep
        kept = await self._log.bounds()
        # Before a trim, the saved board must contain the trimmed events.
        trims = keep_s is not None or kept.last - kept.first >= keep_events
        unsaved = self.head - self._checkpointed
        if unsaved >= CHECKPOINT_EVERY or (trims and unsaved):
            await self.checkpoint()
        while await self._log.trim(*self._keep):
            pass

    async def checkpoint(self) -> None:
        """Save the board, so that the next start only reads newer events."""
        head = self.head
        await self._log.save_checkpoint(head, self.board.checkpoint())
        self._checkpointed = head

    def close(self) -> None:
        """Accept no more events. `write` commits the waiting ones and returns."""
        self._closed = True
        self._arrived.set()
        self.listeners.close()

    async def wait_until_published(self) -> None:
        """Return when something was published since the last call. For one caller."""
        await self._published.wait()
        self._published.clear()

    def frames_in_memory(self, cursor: int, where: Filter = ALL) -> Frames | None:
        """Return the frames after `cursor`, or None if they are only in the log."""
        return self._ring.after(cursor, where)

    async def frames_from_log(self, cursor: int, where: Filter = ALL) -> Frames:
        """Read the frames after `cursor` from the log. Raises CursorExpired."""
        # Before the read: events may leave the ring while it runs.
        seam = self._ring.first - 1
        rows = await self._guarded(self._log.read(cursor, PAGE, where))
        bounds = await self._log.bounds()
        if cursor + 1 < bounds.first:
            raise CursorExpired(f"events up to {bounds.first - 1} are no longer kept")
        visible = [row for row in rows if row.id <= self.head]
        if not visible:
            return Frames(max(cursor, seam), b"")
        frames = (feed_frame(self.epoch, row.id, row.body) for row in visible)
        return Frames(visible[-1].id, b"".join(frames))

    def snapshot(self, reset: str | None = None) -> bytes:
        """Build the snapshot frame. Its id is the cursor to continue from.

        `reset`: why the reader's own cursor cannot be continued.
        """
        snapshot = Snapshot(
            id=self.head,
            now=now(),
            epoch=self.epoch,
            reset=reset is not None,
            reason=reset,
            agents=list(self.board.agents.values()),
            tasks=list(self.board.tasks()),
        )
        data = msgspec.json.encode(snapshot)
        return frame(data, event_id=f"{self.epoch}-{self.head}", name="snapshot")

    def fault_frame(self) -> bytes:
        """Build the frame that reports `fault`; its cause is null when it is over.

        It has no id, because it is not in the feed.
        """
        return frame(msgspec.json.encode({"cause": self.fault}), name=FAULT)

    async def history(
        self, after: int | None, before: int | None, limit: int, where: Filter
    ) -> list[Row]:
        """Read up to `limit` events between two ids, oldest first.

        With `after`: the first ones after it. Else: the last ones before `before`.
        """
        end = self.head + 1
        before = end if before is None else min(before, end)
        if after is None:
            return await self._guarded(self._log.tail(before, limit, where))
        rows = await self._guarded(self._log.read(after, limit, where))
        return [row for row in rows if row.id < before]

    async def high_water(self, source: str) -> int:
        """Return the last version of a source, waiting entries included.

        Their sender may be gone, but their versions must not be used again.
        """
        waiting = [e.version for e in self._not_durable() if e.source == source]
        return max([await self._log.high_water(source), *waiting])

    def _not_durable(self) -> Iterator[Entry]:
        """Iterate over the entries that are not durable yet."""
        yield from self._committing
        for entries, _ in self._pending:
            yield from entries

    async def committed_version(self, source: str) -> int:
        """Return the last version of a source when all its entries are durable."""
        if any(entry.source == source for entry in self._not_durable()):
            await self.append(())  # Batches commit in order.
        return await self._log.high_water(source)

    async def raw(self, event_id: int) -> bytes | None:
        """Return the A2A update that an event was made from."""
        return await self._guarded(self._log.raw(event_id))

    async def bounds(self) -> Bounds:
        """Return the ids that readers can read."""
        return (await self._log.bounds())._replace(last=self.head)

    async def state(self) -> FeedState:
        """Return the figures for the debug page."""
        return FeedState(
            epoch=self.epoch,
            first=(await self.bounds()).first,
            head=self.head,
            ring_first=self._ring.first,
            ring_bytes=self._ring.size,
            queued=self.queued,
            last_commit=self._last_commit,
            fault=self.fault,
        )
