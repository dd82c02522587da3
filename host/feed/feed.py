"""The feed: append → commit → publish.

One writer commits events to the log and publishes them: to the ring, to the board, and
to listeners. An event is durable before any reader sees it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Sequence
from typing import TypeVar

import msgspec

from ..errors import CursorExpired, LogDamaged, LogError
from ..log.contract import Bounds, Entry, Log, Row
from ..model.board import Board
from ..model.debug_state import FeedState
from ..model.event import Event, decode
from ..model.filter import ALL, Filter
from ..model.sse import feed_frame, frame
from ..model.timestamps import now
from ..observability.logfmt import Line
from .agent_budget import AgentBudget
from .audience import Audience
from .board_loader import BoardLoader
from .commit_queue import MAX_BATCH, CommitQueue
from .listeners import Listeners
from .retention import Retention
from .ring import Frames, Ring
from .snapshots import SharedSnapshot, Snapshots

logger = logging.getLogger("courtside.feed")

PAGE = 1_000
CHECKPOINT_EVERY = 20_000  # The next start folds at most this many: about 0.1 s.

FAULT = "fault"
"""The SSE event name of `fault_frame`, and its name in a reader's `kind=`."""

T = TypeVar("T")


class Feed:
    """Call `open`, then run `write` in a task group until `close`."""

    def __init__(
        self,
        log: Log,
        keep_events: int = 1_000_000,
        keep_s: float | None = None,
        keep_bytes: int | None = None,
    ) -> None:
        self.board = Board()
        self.published_by: Counter[tuple[str, str]] = Counter()  # Agent and kind.
        self._unread: LogError | None = None
        self._misplaced: LogError | None = None
        self._log = log
        self.retention = Retention(keep_events, keep_s, keep_bytes)
        self._budgets: dict[str, AgentBudget] = {}
        self.queue = CommitQueue(log, self)
        self._published = asyncio.Event()
        self.opened_at = ""
        self.listeners = Listeners()
        self.audience = Audience()
        self._snapshots = Snapshots()

    async def open(self) -> None:
        """Load the board and the head from the log. Raises LogError."""
        self.opened_at = now()
        self.epoch, _, head = await self._log.bounds()
        self._ring = Ring(head)
        loader = BoardLoader(self.board, self._log, self._note_unread)
        self._checkpointed = await loader.load()

    @property
    def fault(self) -> str | None:
        """Why the log cannot be written or read now, or None."""
        error = self.queue.failure or self._misplaced or self._unread
        return str(error) if error else None

    @property
    def head(self) -> int:
        """The id of the newest published event."""
        return self._ring.head

    @property
    def queued(self) -> int:
        """The number of entries that are not durable yet."""
        return sum(1 for _ in self.queue.not_durable())

    async def append(self, entries: Sequence[Entry]) -> None:
        """Append entries, and return when they are durable. Known versions are dropped.

        Waits while the log cannot be written. Raises FeedClosed.
        """
        await self.submit(entries)

    def budget(self, agent: str) -> AgentBudget:
        """Return the bytes that an agent may write. Its writers wait for it."""
        if agent not in self._budgets:
            self._budgets[agent] = AgentBudget(self.retention.state.keep_bytes)
        return self._budgets[agent]

    def submit(self, entries: Sequence[Entry]) -> asyncio.Future[None]:
        """Append without waiting. The future is done when the entries are durable."""
        return self.queue.submit(entries)

    async def write(self) -> None:
        """Commit batches until `close`. The next batch collects while a commit runs."""
        await self.queue.run()

    async def publish_from_log(self) -> None:
        """Publish what is in the log. After a failure only the log knows the ids."""
        while rows := await self._log.read(self.head, MAX_BATCH):
            for row in rows:
                self.publish(row, decode(row.body))

    def publish(self, row: Row, event: Event) -> None:
        self._ring.append(row.place, feed_frame(self.epoch, row.id, row.body))
        self.board.fold(event)
        self.published_by[row.place.agent, row.place.kind] += 1
        self.listeners.notify(row)

    def notify(self) -> None:
        """Wake the fan-out: something was published, or `fault` has changed."""
        self._published.set()

    async def _guarded(self, read: Awaitable[T]) -> T:
        """Await a read, and keep its failure in `fault` until a read succeeds.

        A damaged log keeps its fault: the next read may see an undamaged part.
        """
        try:
            found = await read
        except LogError as error:
            self._note_unread(error)
            raise
        if self._unread and not isinstance(self._unread, LogDamaged):
            logger.warning(Line(log="readable"))
            self._unread = None
            self._published.set()
        return found

    def _note_unread(self, error: LogError) -> None:
        if self._unread is None:
            logger.error(Line(log="unreadable", cause=error))
        self._unread = error
        self._published.set()

    async def maintain(self) -> None:
        """Trim the log, and save the board when many events are new."""
        await self._verify()
        if self._unread:
            await self._guarded(self._log.tail(self.head + 1, 1))
        # Before a trim, the saved board must contain the trimmed events.
        trims = await self.retention.is_due(self._log)
        unsaved = self.head - self._checkpointed
        if unsaved >= CHECKPOINT_EVERY or (trims and unsaved):
            await self.checkpoint()
        if trims:
            await self.retention.trim(self._log)

    async def _verify(self) -> None:
        """Keep in `fault` that the log's file was deleted, replaced or cut off."""
        before, self._misplaced = self._misplaced, None
        try:
            await self._log.verify()
        except LogError as error:
            self._misplaced = error
            raise
        finally:
            if (before is None) != (self._misplaced is None):
                self.notify()

    async def checkpoint(self) -> None:
        """Save the board, so that the next start only reads newer events."""
        head = self.head
        await self._log.save_checkpoint(head, self.board.checkpoint())
        self._checkpointed = head

    def close(self) -> None:
        """Accept no more events. `write` commits the waiting ones and returns."""
        self.queue.close()
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

    def snapshot(self) -> SharedSnapshot:
        """Return the snapshot for a reader that joins now."""
        return self._snapshots.get(self.board, self.head)

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

    async def readable(self, after: int, where: Filter) -> list[Row]:
        """Read the first events after an id, without damaged ones.

        For state that is built from events: a task goes on in spite of the damage.
        """
        while True:
            try:
                return await self.history(after, None, PAGE, where)
            except LogDamaged as damage:
                if damage.event_id is None:
                    raise
                after = damage.event_id

    async def high_water(self, source: str) -> int:
        """Return the last version of a source, waiting entries included.

        Their sender may be gone, but their versions must not be used again.
        """
        waiting = [e.version for e in self.queue.not_durable() if e.source == source]
        return max([await self._log.high_water(source), *waiting])

    async def committed_version(self, source: str) -> int:
        """Return the last version of a source when all its entries are durable."""
        if any(entry.source == source for entry in self.queue.not_durable()):
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
            last_commit=self.queue.last_commit,
            fault=self.fault,
            log=self.retention.state,
            refused=self.queue.refused,
        )
