"""The contract of a log: where the feed stores its events.

`memory_log` and `sqlite_log` implement it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

from msgspec import Struct

from ..errors import LogRefused
from ..model.event import Event, encode
from ..model.filter import ALL, Filter, Place


# A struct is created five times as fast as a named tuple.
class Entry(Struct, frozen=True, gc=False):
    """An event to append.

    `source` is that of `source_of`. `version` numbers the events of a source: 1, 2, 3
    …; the log stores each version once. `number` is the version as readers see it: 0
    if the event is not an update. `body` is the event's JSON without an id, `raw` is
    the A2A update that it was made from, and `size` their bytes.
    """

    source: str
    version: int
    number: int
    place: Place
    event: Event
    body: bytes
    raw: bytes | None
    size: int

    @classmethod
    def of(
        cls, source: str, version: int, event: Event, raw: bytes | None = None
    ) -> Entry:
        body = encode(event)
        return cls(
            source,
            version,
            number=version if event.is_update else 0,
            place=place_of(event),
            event=event,
            body=body,
            raw=raw,
            size=len(body) + len(raw or b""),
        )


class Row(Struct, frozen=True, gc=False):
    """An event in the log. `body` is its JSON without the id.

    `version` is the Entry's `number`. In logs of schema version 1 it is 0.
    """

    id: int
    place: Place
    body: bytes
    version: int


class Bounds(NamedTuple):
    """The stored ids, `first` to `last`. Without events, first is last + 1."""

    epoch: str
    first: int
    last: int


class Log(Protocol):
    """Stores the events of the feed.

    Ids are 1, 2, 3 … without a hole. An id is never reused in one epoch, not even after
    a trim or a restart. `append` stores all entries or none, and they are durable when
    it returns. There is one appender at a time, and any number of readers.

    Every method raises LogError if the store fails. A failed append may have been
    stored: append the same entries again. The log drops the entries that it has.
    LogRefused means that it never accepts one of them: append the others without it.
    """

    async def append(self, entries: Sequence[Entry]) -> list[int | None]:
        """Return the new ids, in order; None for a version that the log has."""

    async def read(self, after: int, limit: int, where: Filter = ALL) -> list[Row]:
        """Return up to `limit` events after the id `after`, oldest first.

        Returns fewer if they exceed READ_BYTES, and none only at the end.
        """

    async def tail(self, before: int, limit: int, where: Filter = ALL) -> list[Row]:
        """Return the last events before the id `before`, oldest first, like `read`."""

    async def latest(self, after: int, where: Filter) -> list[Row]:
        """Return the last event of each matching place after `after`, like `read`.

        Task and agent events are complete rows, so the last one is enough.
        """

    async def raw(self, event_id: int) -> bytes | None:
        """Return the A2A update that an event was made from, as JSON, if any."""

    async def bounds(self) -> Bounds: ...

    async def high_water(self, source: str) -> int:
        """Return the last stored version of a source, or 0."""

    async def save_checkpoint(self, event_id: int, board: bytes) -> None:
        """Store the board after `event_id`. Replaces the previous one."""

    async def checkpoint(self) -> tuple[int, bytes] | None: ...

    async def trim(
        self,
        keep_count: int,
        max_age_s: float | None,
        max_bytes: int | None = None,
    ) -> int:
        """Drop the oldest events, and return how many.

        Drops events over `keep_count`, `max_age_s` or `max_bytes`, at most TRIM_STEP or
        about TRIM_BYTES. Call it until it returns 0.
        """

    async def size(self) -> int:
        """Return the bytes in use, without space that new events can reuse."""

    async def verify(self) -> None:
        """Check that the store is still in its place. Raises LogDamaged."""

    async def close(self) -> None: ...


NOTICES = "notices:"  # No agent's name has a colon.
MAX_ROW_BYTES = 32 * 1024 * 1024  # Of one event. An agent's responses have 8 MiB.
READ_BYTES = 8 * 1024 * 1024  # A thousand artifacts can be a gigabyte.
TRIM_BYTES = 16 * 1024 * 1024
TRIM_STEP = 5_000  # Deleting 100,000 rows at once delayed appends by 70 ms.


def count_excess(sizes: Iterable[int], excess: int) -> int:
    """Return how many of the oldest events have `excess` bytes, or TRIM_BYTES."""
    excess = min(excess, TRIM_BYTES)
    count = 0
    for size in sizes:
        if excess <= 0:
            break
        excess -= size
        count += 1
    return count


def refuse_size(entry: Entry) -> LogRefused:
    """Build the error for an entry that is larger than MAX_ROW_BYTES."""
    return LogRefused(
        f"an event of {entry.source} has {entry.size:,} bytes; the log takes at most "
        f"{MAX_ROW_BYTES:,} for one event"
    )


def source_of(event: Event) -> str:
    """Return the source of an event: `carly`, `carly/TASK_ID`, `notices:carly/TASK_ID`.

    Events that are not updates have their own source, so that the versions of a task
    have no holes without them.
    """
    place = place_of(event)
    source = f"{place.agent}/{place.task}" if place.task else place.agent
    return source if event.is_update else f"{NOTICES}{source}"


def place_of(event: Event) -> Place:
    """Return the agent, task, context and kind of an event."""
    return _place(
        event.agent,
        getattr(event, "task_id", None),
        getattr(event, "context_id", None),
        type(event),
    )


@lru_cache(4_096)
def _place(
    agent: str, task: str | None, context: str | None, kind: type[Event]
) -> Place:
    return Place(agent, task, context, str(kind.__struct_config__.tag))
