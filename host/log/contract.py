"""Owns what a log promises; memory.py and sqlite.py keep it.

The feed appends to one log and reads back what is no longer in its memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

from msgspec import Struct

from ..model.event import Event, encode
from ..model.filter import ALL, Filter, Place


# A struct is made in a fifth of a named tuple's time.
class Entry(Struct, frozen=True, gc=False):
    """An event on its way into the log.

    `source` names who it is from (`carly`, or `carly/TASK_ID`) and `version` its
    place there: 1, 2, 3 …; the log takes each version of a source once. `body` is
    the event's JSON without an id, `raw` the A2A update that it came from.
    """

    source: str
    version: int
    place: Place
    event: Event
    body: bytes
    raw: bytes | None

    @classmethod
    def of(
        cls, source: str, version: int, event: Event, raw: bytes | None = None
    ) -> Entry:
        return cls(source, version, place_of(event), event, encode(event), raw)


class Row(Struct, frozen=True, gc=False):
    """An event in the log. `body` is its JSON without the id.

    `version` is the Entry's; 0 where the log is older than that.
    """

    id: int
    place: Place
    body: bytes
    version: int


class Bounds(NamedTuple):
    """What is kept: ids `first` to `last`; none when first is last + 1."""

    epoch: str
    first: int
    last: int


class Log(Protocol):
    """Where the feed is kept.

    Ids are 1, 2, 3 … without a hole and are never given twice in one epoch, not
    after a trim to nothing, not after a restart. `append` is all or nothing and
    durable when it returns; there is one appender at a time, readers may be many.
    Every method raises LogError when the store fails; an append that raised may
    have happened: append the same entries again, those that did are left out.
    """

    async def append(self, entries: Sequence[Entry]) -> list[int | None]:
        """The new ids, in order; None where the log had that version already."""

    async def read(self, after: int, limit: int, where: Filter = ALL) -> list[Row]:
        """The first events past `after`, oldest first, at most `limit`.

        Fewer when they would be more than READ_BYTES, but none only at the end.
        """

    async def tail(self, before: int, limit: int, where: Filter = ALL) -> list[Row]:
        """The last events below `before`, oldest first; as many as `read` gives."""

    async def latest(self, after: int, where: Filter) -> list[Row]:
        """The last event of each wanted place that lies past `after`, oldest first; as
        many as `read` gives: of rows that are whole it is all that counts."""

    async def raw(self, event_id: int) -> bytes | None:
        """The A2A update behind an event, as JSON, if there was one."""

    async def bounds(self) -> Bounds: ...

    async def high_water(self, source: str) -> int:
        """The last version appended of a source, 0 when there is none."""

    async def save_checkpoint(self, event_id: int, board: bytes) -> None:
        """Keeps the board as it is after `event_id`, in place of the one before."""

    async def checkpoint(self) -> tuple[int, bytes] | None: ...

    async def trim(self, keep_count: int, max_age_s: float | None) -> int:
        """Drops the oldest events that are too many or too old, at most one step.

        Returns how many it dropped: call again until that is 0.
        """

    async def close(self) -> None: ...


READ_BYTES = 8 * 1024 * 1024  # A thousand artifacts may be a gigabyte.
TRIM_STEP = 5_000  # One bulk delete of 100,000 rows held up appends for 70 ms.


def place_of(event: Event) -> Place:
    """Agent, task and context of an event, where its kind has them, and its kind."""
    return _place(
        event.agent,
        getattr(event, "task_id", None),
        getattr(event, "context_id", None),
        str(event.__struct_config__.tag),
    )


@lru_cache(4_096)
def _place(agent: str, task: str | None, context: str | None, kind: str) -> Place:
    return Place(agent, task, context, kind)
