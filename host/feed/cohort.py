"""Readers of the feed, and the cohorts in which they get the same bytes.

`sse_fanout` decides when to write. `step` drives a reader's `send` without a task
switch.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Coroutine, Generator, Iterator
from time import perf_counter, time
from typing import Any, NamedTuple

import anyio
from starlette.types import Message, Send

from ..model.debug_state import ReaderState
from ..model.filter import Filter
from ..model.timestamps import format_timestamp
from ..observability.logfmt import Line
from .feed import Feed
from .ring import Frames

logger = logging.getLogger("courtside.cohort")

COHORT = 64


class Subscription(NamedTuple):
    """The filter and interval of a reader. Equal subscriptions share a channel."""

    where: Filter
    every_s: float = 0
    """Events that arrive within this time after a send are sent together."""


class Reader:
    """One open response: where to write, its subscription, its last event."""

    __slots__ = (
        "catch_up",
        "cohort",
        "cursor",
        "is_disconnected",
        "opening",
        "resting",
        "send",
        "send_began_at",
        "since",
        "subscription",
        "task",
    )

    def __init__(
        self, send: Send, where: Filter, cursor: int, every_s: float = 0
    ) -> None:
        self.send = send
        self.subscription = Subscription(where, every_s)
        self.resting = False  # Waits between two sends, in its own task.
        self.cursor = cursor  # In a cohort, the cohort's cursor counts.
        self.cohort: Cohort | None = None
        self.opening: Iterator[bytes] | None = None  # To send before the events.
        self.catch_up: anyio.CancelScope | None = None
        self.send_began_at: float | None = None  # In its own task, where it may block.
        self.task = asyncio.current_task()
        self.is_disconnected = False
        self.since = time()  # When `is_lagging` last changed.

    @property
    def where(self) -> Filter:
        return self.subscription.where

    @property
    def is_lagging(self) -> bool:
        return self.catch_up is not None and not self.resting

    @property
    def position(self) -> int:
        """The last event that was sent to it."""
        return self.cohort.cursor if self.cohort else self.cursor

    def describe(self, head: int) -> ReaderState:
        """Return its state for the debug page."""
        return ReaderState(
            self.position,
            head - self.position,
            self.is_lagging,
            format_timestamp(self.since),
            {k: sorted(v) for k, v in self.where._asdict().items() if v},
        )

    def leave_cohort(self) -> None:
        if self.cohort:
            self.cursor = self.cohort.cursor
            self.cohort.readers.pop(self, None)
            self.cohort = None

    def disconnect(self) -> None:
        """End the request of a reader that reads nothing, by cancelling its task.

        An anyio scope for each reader would cost 1 kB more per reader.
        """
        if self.cohort:
            self.cohort.readers.pop(self, None)
        if self.task and not self.is_disconnected:
            self.is_disconnected = True
            self.task.cancel()

    def take_back_disconnect(self) -> bool:
        """Undo our cancellation. Return False if other code also cancelled the task."""
        if self.is_disconnected and self.task and sys.version_info >= (3, 11):
            return self.task.uncancel() == 0
        return self.is_disconnected


class Cohort:
    """Up to COHORT readers of one channel at the same cursor."""

    __slots__ = ("cursor", "readers", "written_at")

    def __init__(self, cursor: int) -> None:
        self.cursor = cursor
        self.readers: dict[Reader, None] = {}
        self.written_at = perf_counter()


class Channel:
    """The readers with the same subscription."""

    __slots__ = ("_cached", "_feed", "cohorts", "every_s", "where")

    def __init__(self, feed: Feed, where: Filter, every_s: float = 0) -> None:
        self._feed = feed
        self.where, self.every_s = where, every_s
        self.cohorts: list[Cohort] = []
        self._cached: tuple[int, int, Frames | None] = (-1, -1, None)

    def frames_after(self, cursor: int) -> Frames | None:
        """Return Feed.frames_in_memory, computed once per cursor."""
        at, head, frames = self._cached
        if at != cursor or head != self._feed.head:
            frames = self._feed.frames_in_memory(cursor, self.where)
            self._cached = (cursor, self._feed.head, frames)
        return frames

    def join(self, reader: Reader) -> None:
        for cohort in reversed(self.cohorts[-2:]):
            if cohort.cursor == reader.cursor and len(cohort.readers) < COHORT:
                break
        else:
            cohort = Cohort(reader.cursor)
            self.cohorts.append(cohort)
        cohort.readers[reader] = None
        reader.cohort = cohort

    def compact(self) -> None:
        """Merge small cohorts at the same cursor, and drop empty ones."""
        full: list[Cohort] = []
        for cohort in self.cohorts:
            into = full[-1] if full else None
            if (
                into is not None
                and into.cursor == cohort.cursor
                and len(into.readers) + len(cohort.readers) <= COHORT
            ):
                into.readers.update(cohort.readers)
                for reader in cohort.readers:
                    reader.cohort = into
                cohort.readers.clear()  # A ping may be about to write to it.
            elif cohort.readers:
                full.append(cohort)
        self.cohorts = full


class Blocked:
    """A send that was started with `step` and blocks. Await it to finish it."""

    def __init__(self, send: Coroutine[Any, Any, None], waits_for: Any) -> None:
        self._send = send
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, None]:
        waits_for = self._waits_for
        try:
            while True:
                try:
                    value = yield waits_for
                except BaseException as error:
                    waits_for = self._send.throw(error)
                else:
                    waits_for = self._send.send(value)
        except StopIteration:
            return


def step(reader: Reader, message: Message) -> Blocked | None:
    """Start a send, and run it until it ends (returns None) or blocks.

    A send that raises ends its reader, because the reader may have missed the message.
    A CancelledError comes from the send itself: we cannot be cancelled between two
    awaits.
    """
    try:
        send: Any = reader.send(message)
        return Blocked(send, send.send(None))
    except StopIteration:
        return None
    except (Exception, asyncio.CancelledError) as error:
        logger.info(Line(reader="gone", cause=repr(error)))
        reader.disconnect()
        return None
