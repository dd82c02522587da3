"""A log in memory, for tests and temporary runs."""

from __future__ import annotations

import secrets
import time
from bisect import bisect_right
from collections.abc import Sequence
from itertools import islice

from ..model.filter import ALL, Filter
from .contract import (
    MAX_ROW_BYTES,
    TRIM_STEP,
    Bounds,
    Entry,
    Row,
    count_excess,
    refuse_size,
)


class MemoryLog:
    """A `Log` that is lost when the process ends."""

    def __init__(self, first: int = 1) -> None:
        """Create an empty log. `first` is the id of its first event."""
        self._epoch = secrets.token_hex(4)
        self._first = first
        self._rows: list[Row] = []
        self._times: list[float] = []
        self._raws: list[bytes | None] = []
        self._sizes: list[int] = []
        self._bytes = 0
        self._versions: dict[str, int] = {}
        self._checkpoint: tuple[int, bytes] | None = None

    async def append(self, entries: Sequence[Entry]) -> list[int | None]:
        ids: list[int | None] = []
        now = time.time()
        for entry in entries:
            if entry.size > MAX_ROW_BYTES:
                raise refuse_size(entry)
        for entry in entries:
            if entry.version <= self._versions.get(entry.source, 0):
                ids.append(None)
                continue
            self._versions[entry.source] = entry.version
            event_id = self._first + len(self._rows)
            self._rows.append(Row(event_id, entry.place, entry.body, entry.number))
            self._times.append(now)
            self._raws.append(entry.raw)
            self._sizes.append(entry.size)
            self._bytes += entry.size
            ids.append(event_id)
        return ids

    async def read(self, after: int, limit: int, where: Filter = ALL) -> list[Row]:
        start = max(after + 1 - self._first, 0)
        if where == ALL:
            return self._rows[start : start + limit]
        matching = (row for row in self._rows[start:] if where.matches(row.place))
        return list(islice(matching, limit))

    async def tail(self, before: int, limit: int, where: Filter = ALL) -> list[Row]:
        rows = reversed(self._rows[: max(before - self._first, 0)])
        matching = (row for row in rows if where.matches(row.place))
        return list(islice(matching, limit))[::-1]

    async def latest(self, after: int, where: Filter) -> list[Row]:
        last = {row.place: row for row in self._rows if where.matches(row.place)}
        return sorted(
            (row for row in last.values() if row.id > after), key=lambda row: row.id
        )

    async def raw(self, event_id: int) -> bytes | None:
        index = event_id - self._first
        return self._raws[index] if 0 <= index < len(self._raws) else None

    async def bounds(self) -> Bounds:
        return Bounds(self._epoch, self._first, self._first + len(self._rows) - 1)

    async def high_water(self, source: str) -> int:
        return self._versions.get(source, 0)

    async def save_checkpoint(self, event_id: int, board: bytes) -> None:
        self._checkpoint = (event_id, board)

    async def checkpoint(self) -> tuple[int, bytes] | None:
        return self._checkpoint

    async def size(self) -> int:
        return self._bytes

    async def trim(
        self,
        keep_count: int,
        max_age_s: float | None,
        max_bytes: int | None = None,
    ) -> int:
        drop = max(len(self._rows) - keep_count, 0)
        if max_age_s is not None:
            drop = max(drop, bisect_right(self._times, time.time() - max_age_s))
        if max_bytes is not None:
            drop = max(drop, count_excess(self._sizes, self._bytes - max_bytes))
        drop = min(drop, TRIM_STEP)
        self._bytes -= sum(self._sizes[:drop])
        for kept in (self._rows, self._times, self._raws, self._sizes):
            del kept[:drop]
        self._first += drop
        return drop

    async def verify(self) -> None:
        """Do nothing: no other program can reach the memory."""

    async def close(self) -> None:
        """Do nothing: there is nothing to release."""
