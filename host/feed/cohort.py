"""Owns a reader of the feed, and the cohorts in which readers are written to together.

Fan-out decides when; here is who gets which bytes, and how a send is stepped by hand.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Coroutine, Generator
from time import perf_counter, time
from typing import Any, NamedTuple

import anyio
from starlette.types import Message, Send

from ..model.filter import Filter
from ..observability.logfmt import Line
from .feed import Feed
from .ring import Frames

logger = logging.getLogger("courtside.cohort")

COHORT = 64


class Subscription(NamedTuple):
    """What a reader asks for; those that ask for the same are written to together."""

    where: Filter
    every_s: float = 0
    """What comes within it of a send goes together."""


class Reader:
    """One open response: where to write, what it wants, the last event it has."""

    __slots__ = (
        "catch_up",
        "cohort",
        "cursor",
        "is_disconnected",
        "resting",
        "send",
        "since",
        "subscription",
        "task",
    )

    def __init__(
        self, send: Send, where: Filter, cursor: int, every_s: float = 0
    ) -> None:
        self.send = send
        self.subscription = Subscription(where, every_s)
        self.resting = False  # Between two sends: a task of its own, yet no laggard.
        self.cursor = cursor  # While it stands in a cohort, the cohort's counts.
        self.cohort: Cohort | None = None
        self.catch_up: anyio.CancelScope | None = None
        self.task = asyncio.current_task()
        self.is_disconnected = False
        self.since = time()  # It began to lag, or ceased to.

    @property
    def where(self) -> Filter:
        return self.subscription.where

    @property
    def is_lagging(self) -> bool:
        return self.catch_up is not None and not self.resting

    @property
    def position(self) -> int:
        """The last event it was given."""
        return self.cohort.cursor if self.cohort else self.cursor

    def leave_cohort(self) -> None:
        if self.cohort:
            self.cursor = self.cohort.cursor
            self.cohort.readers.pop(self, None)
            self.cohort = None

    def disconnect(self) -> None:
        """Ends the request of a reader that takes nothing, not even an end.

        By its task: an anyio scope of its own would cost each reader 1 kB more.
        """
        if self.cohort:
            self.cohort.readers.pop(self, None)
        if self.task and not self.is_disconnected:
            self.is_disconnected = True
            self.task.cancel()

    def take_back_disconnect(self) -> bool:
        """Takes the cancellation back; False when somebody else wants one, too."""
        if self.is_disconnected and self.task and sys.version_info >= (3, 11):
            return self.task.uncancel() == 0
        return self.is_disconnected


class Cohort:
    """Readers of one channel at one cursor."""

    __slots__ = ("cursor", "readers", "written_at")

    def __init__(self, cursor: int) -> None:
        self.cursor = cursor
        self.readers: dict[Reader, None] = {}
        self.written_at = perf_counter()


class Channel:
    """The readers that want the same events."""

    __slots__ = ("_cached", "_feed", "cohorts", "every_s", "where")

    def __init__(self, feed: Feed, where: Filter, every_s: float = 0) -> None:
        self._feed = feed
        self.where, self.every_s = where, every_s
        self.cohorts: list[Cohort] = []
        self._cached: tuple[int, int, Frames | None] = (-1, -1, None)

    def ready(self, cursor: int) -> Frames | None:
        """As Feed.ready, made once for all cohorts at the same cursor."""
        at, head, piece = self._cached
        if at != cursor or head != self._feed.head:
            piece = self._feed.frames_in_memory(cursor, self.where)
            self._cached = (cursor, self._feed.head, piece)
        return piece

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
        """Merges what departures and laggards have thinned out."""
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
                cohort.readers.clear()  # The pinger may be about to write to it.
            elif cohort.readers:
                full.append(cohort)
        self.cohorts = full


class Blocked:
    """A send that was begun by hand and waits: `await` it to finish it."""

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
    """Drives a send as far as it goes; None when that was to its end.

    A send that raises ends its reader, which may have missed what it carried. A
    CancelledError is the send's own: nobody can cancel us between two awaits.
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
