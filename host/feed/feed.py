"""Owns the feed: append → commit → publish, one writer, durable before visible.

Collectors append; what is committed goes into the ring and onto the board, and
fan-out is woken. Every reader sees the same ids in the same order.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
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
from .ring import Frames, Ring

logger = logging.getLogger("courtside.feed")

MAX_BATCH = 5_000
PAGE = 1_000
CHECKPOINT_EVERY = 20_000  # Events to fold again at a start: some 0.1 s.
ON_THE_BOARD = Filter(kind=frozenset({"task", "agent"}))
MAINTAIN_EVERY_S = 1.0
COMMIT_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
RETRY_S = 1.0

FAULT = "fault"
"""What `trouble` is called, on the wire and in a reader's `kind=`."""

T = TypeVar("T")
Listener = Callable[[Row | None], None]


class FeedClosed(Exception):
    """The host is shutting down and takes no more events."""


class Feed:
    """`open` it, run `write` and `tend` in a task group, `close` it to end them."""

    def __init__(
        self, log: Log, keep_events: int = 1_000_000, keep_s: float | None = None
    ) -> None:
        self.board = Board()
        self.published_by: Counter[tuple[str, str]] = Counter()  # Agent and kind.
        self.commits = DurationHistogram(*COMMIT_S)
        self._last_commit: tuple[float, float, int] | None = None
        self._unwritten: LogError | None = None
        self._unread: LogError | None = None
        self._log = log
        self._keep = (keep_events, keep_s)
        self._pending: list[tuple[Sequence[Entry], asyncio.Future[None]]] = []
        self._committing: list[Entry] = []
        self._arrived = asyncio.Event()
        self._published = asyncio.Event()
        self._closed = False
        # By task, None for those that listen to every event.
        self._listeners: dict[str | None, dict[Listener, None]] = {}

    async def open(self) -> None:
        """Takes the board and the head from the log. Raises LogError."""
        self.epoch, _, head = await self._log.bounds()
        self._ring = Ring(head)
        at = self._checkpointed = await self._restore()
        # Of each task and agent the last row is enough: rows are whole.
        while rows := await self._log.latest(at, ON_THE_BOARD):
            for row in rows:
                self.board.fold(decode(row.body))
            at = rows[-1].id

    async def _restore(self) -> int:
        """The event up to which the board was saved, 0 when it is to be made anew."""
        saved = await self._log.checkpoint()
        if saved is None:
            return 0
        event_id, board = saved
        try:
            self.board.restore(board)
        except msgspec.DecodeError as error:
            logger.warning(Line(board="unreadable", cause=error))
            return 0
        return event_id

    @property
    def fault(self) -> str | None:
        """Why the log cannot be written, or not read, while that is so."""
        error = self._unwritten or self._unread
        return str(error) if error else None

    @property
    def head(self) -> int:
        """The id of the last event that readers may see."""
        return self._ring.head

    @property
    def queued(self) -> int:
        """Entries that wait to be durable."""
        waiting = sum(len(entries) for entries, _ in self._pending)
        return waiting + len(self._committing)

    async def append(self, entries: Sequence[Entry]) -> None:
        """Returns when the entries are durable. One that the log has is left out.

        Waits as long as the log cannot be written; raises FeedClosed at the end.
        """
        await self.submit(entries)

    def submit(self, entries: Sequence[Entry]) -> asyncio.Future[None]:
        """The same for whoever cannot wait. Raises FeedClosed at the end."""
        if self._closed:
            raise FeedClosed
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append((entries, done))
        self._arrived.set()
        return done

    async def write(self) -> None:
        """The one writer. While a commit runs, the next batch gathers: no timer."""
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
        """Appends until the log says yes; an append that failed may have happened."""
        while True:
            try:
                began = perf_counter()
                ids = await self._log.append(entries)
                self._note_commit(perf_counter() - began, len(entries))
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
                    row = Row(event_id, entry.place, entry.body, entry.version)
                    self._publish(row, entry.event)
        self._published.set()

    def _note_commit(self, took_s: float, entries: int) -> None:
        self.commits.add(took_s)
        self._last_commit = (time(), took_s, entries)

    async def _publish_from_log(self) -> None:
        """After a failure only the log knows which ids were given."""
        while rows := await self._log.read(self.head, MAX_BATCH):
            for row in rows:
                self._publish(row, decode(row.body))

    def _publish(self, row: Row, event: Event) -> None:
        self._ring.append(row.place, feed_frame(self.epoch, row.id, row.body))
        self.board.fold(event)
        self.published_by[row.place.agent, row.place.kind] += 1
        if self._listeners:
            for key in {row.place.task, None}:
                for tell in self._listeners.get(key, ()):
                    tell(row)

    async def _reading(self, read: Awaitable[T]) -> T:
        """What was read. A log that cannot be read says so until it can again; one that
        is damaged to its end, for another part of it may well be whole."""
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
        """Keeps the log short and the next start quick, in small steps."""
        is_tended = True
        while True:
            try:
                await self._maintain()
                is_tended = True
            except LogError as error:
                if is_tended:
                    logger.error(Line(log="untended", cause=error))
                is_tended = False
            await asyncio.sleep(MAINTAIN_EVERY_S)

    async def _maintain(self) -> None:
        if self._unread:
            await self._reading(self._log.tail(self.head + 1, 1))
        keep_events, keep_s = self._keep
        kept = await self._log.bounds()
        # What is trimmed must be on the board that the next start begins from.
        trims = keep_s is not None or kept.last - kept.first >= keep_events
        fresh = self.head - self._checkpointed
        if fresh >= CHECKPOINT_EVERY or (trims and fresh):
            await self.checkpoint()
        while await self._log.trim(*self._keep):
            pass

    async def checkpoint(self) -> None:
        """Lets the next start begin here."""
        head = self.head
        await self._log.save_checkpoint(head, self.board.checkpoint())
        self._checkpointed = head

    def close(self) -> None:
        """Takes no more events; `write` commits what has arrived and returns."""
        self._closed = True
        self._arrived.set()
        for told in self._listeners.values():
            for tell in told:
                tell(None)

    async def wait_until_published(self) -> None:
        """Returns when something was published since it last returned.

        For one waiter: fan-out.
        """
        await self._published.wait()
        self._published.clear()

    @contextmanager
    def listen(self, tasks: Iterable[str], tell: Listener) -> Iterator[None]:
        """Calls `tell` with each event of these tasks (without any: of all) at the
        moment when it is published, and with None when the feed closes."""
        keys: list[str | None] = [*tasks] or [None]
        for key in keys:
            self._listeners.setdefault(key, {})[tell] = None
        if self._closed:
            tell(None)
        try:
            yield
        finally:
            for key in keys:
                del self._listeners[key][tell]
                if not self._listeners[key]:
                    del self._listeners[key]

    def frames_in_memory(self, cursor: int, where: Filter = ALL) -> Frames | None:
        """Frames behind `cursor` from the ring; None when only the log has them."""
        return self._ring.after(cursor, where)

    async def frames_from_log(self, cursor: int, where: Filter = ALL) -> Frames:
        """Frames behind `cursor` from the log. Raises CursorExpired."""
        # Before the read: events may leave the ring while it runs, unread.
        seam = self._ring.first - 1
        rows = await self._reading(self._log.read(cursor, PAGE, where))
        bounds = await self._log.bounds()
        if cursor + 1 < bounds.first:
            raise CursorExpired(f"events up to {bounds.first - 1} are no longer kept")
        visible = [row for row in rows if row.id <= self.head]
        if not visible:
            return Frames(max(cursor, seam), b"")
        frames = (feed_frame(self.epoch, row.id, row.body) for row in visible)
        return Frames(visible[-1].id, b"".join(frames))

    def snapshot(self, reset: str | None = None) -> bytes:
        """The board as one SSE event; its id is the cursor to go on from.

        `reset` says why a reader that came with a cursor cannot have what followed.
        """
        data = msgspec.json.encode(
            Snapshot(
                id=self.head,
                now=now(),
                epoch=self.epoch,
                reset=reset is not None,
                reason=reset,
                agents=list(self.board.agents.values()),
                tasks=list(self.board.tasks()),
            )
        )
        return frame(data, event_id=f"{self.epoch}-{self.head}", name="snapshot")

    def fault_frame(self) -> bytes:
        """The fault as one SSE event without an id; its cause is null when it is over.

        It is no event of the feed: the feed is what cannot be written.
        """
        return frame(msgspec.json.encode({"cause": self.fault}), name=FAULT)

    async def history(
        self, after: int | None, before: int | None, limit: int, where: Filter
    ) -> list[Row]:
        """Events between two ids, oldest first: the first after, or the last before."""
        end = self.head + 1
        before = end if before is None else min(before, end)
        if after is None:
            return await self._reading(self._log.tail(before, limit, where))
        rows = await self._reading(self._log.read(after, limit, where))
        return [row for row in rows if row.id < before]

    async def high_water(self, source: str) -> int:
        """The last version of a source, in the log or on its way there.

        Whoever appended may be gone: what it gave away is not to be given twice.
        """
        given = [e.version for e in self._ahead() if e.source == source]
        return max([await self._log.high_water(source), *given])

    def _ahead(self) -> Iterator[Entry]:
        """What is on its way to the log."""
        yield from self._committing
        for entries, _ in self._pending:
            yield from entries

    async def committed_version(self, source: str) -> int:
        """The last version of a source, once all that was given of it is in the log."""
        if any(entry.source == source for entry in self._ahead()):
            await self.append(())  # One after the other: then the others are, too.
        return await self._log.high_water(source)

    async def raw(self, event_id: int) -> bytes | None:
        """The A2A update behind an event."""
        return await self._reading(self._log.raw(event_id))

    async def bounds(self) -> Bounds:
        """What is kept, as readers may see it."""
        return (await self._log.bounds())._replace(last=self.head)

    async def state(self) -> FeedState:
        """How it stands, for whoever looks into the host."""
        last = self._last_commit
        commit = Commit(format_timestamp(last[0]), *last[1:]) if last else None
        return FeedState(
            epoch=self.epoch,
            first=(await self.bounds()).first,
            head=self.head,
            ring_first=self._ring.first,
            ring_bytes=self._ring.size,
            queued=self.queued,
            last_commit=commit,
            fault=self.fault,
        )
