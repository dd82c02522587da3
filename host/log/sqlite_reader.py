"""Reads the events of the SQLite log, and checks them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import LogDamaged
from ..model.filter import ALL, Filter, Place
from .checksums import (
    is_board_intact,
    is_event_intact,
    is_place_intact,
    is_raw_intact,
    is_source_intact,
)
from .contract import READ_BYTES, Row
from .sqlite_file import connect
from .sqlite_schema import REPAIR, describe_source

SELECT = "SELECT id, place, version, crc, body FROM event"
MAX_CACHED = 100_000  # Only a limit: about 20 MB.


class SqliteReader:
    """Its methods are those of `Log`, for one thread. They raise sqlite3.Error too.

    If an event is damaged, `read`, `tail` and `latest` return the events before it. The
    next call begins with it, and raises LogDamaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = connect(path)
        self._place = lru_cache(MAX_CACHED)(self._read_place)

    def close(self) -> None:
        self._db.close()

    def read(self, after: int, limit: int, where: Filter) -> list[Row]:
        condition, values = _condition(where)
        sql = f"{SELECT} WHERE id > ? {condition} LIMIT ?"
        return self._rows(sql, (after, *values, limit), after, is_whole=where == ALL)

    def tail(self, before: int, limit: int, where: Filter) -> list[Row]:
        condition, values = _condition(where, newest_first=True)
        sql = f"{SELECT} WHERE id < ? {condition} LIMIT ?"
        rows = self._rows(
            sql, (before, *values, limit), before, step=-1, is_whole=where == ALL
        )
        return rows[::-1]

    def latest(self, after: int, where: Filter) -> list[Row]:
        places, values = _places(where)
        # Uses the index: a million rows of a thousand tasks take a thousand look-ups.
        newest = "SELECT max(e.id) FROM event e WHERE e.place = p.id"
        ids = f"SELECT ({newest}) FROM place p WHERE p.id IN ({places})"  # noqa: S608
        sql = f"{SELECT} WHERE id IN ({ids}) AND id > ? ORDER BY id"
        return self._rows(sql, (*values, after), after)

    def raw(self, event_id: int) -> bytes | None:
        """Raises KeyError if the event is not there."""
        sql = "SELECT crc, raw FROM event WHERE id = ?"
        found = self._db.execute(sql, (event_id,)).fetchone()
        if not found:
            raise KeyError(event_id)
        crc: Any = found[0]
        raw: bytes | None = found[1]
        if not is_raw_intact(crc, raw):
            raise self.report_damage(event_id)
        return raw

    def checkpoint(self) -> tuple[int, bytes] | None:
        sql = "SELECT event_id, board, crc FROM checkpoint"
        found = self._db.execute(sql).fetchone()
        if not found:
            return None
        if not is_board_intact(*found):
            raise LogDamaged(f"{self._path}: the saved board is damaged")
        return found[0], found[1]

    def check_tables(self) -> None:
        """Check the places and sources, which have no other check. Raises LogDamaged.

        A damaged one would hide events from a filter, or drop new ones as repeated.
        """
        for place_id, *values, crc in self._db.execute("SELECT * FROM place"):
            if not is_place_intact(place_id, values, crc):
                raise LogDamaged(f"place {place_id} is damaged: {REPAIR}")
        for name, version, crc in self._db.execute("SELECT * FROM source"):
            if not is_source_intact(name, version, crc):
                raise LogDamaged(describe_source(name))

    def _rows(
        self,
        sql: str,
        values: tuple[object, ...],
        previous: int,
        *,
        step: int = 1,
        is_whole: bool = False,
    ) -> list[Row]:
        """Return the rows, in steps from the id `previous`. `is_whole`: without holes.

        A damaged index can lead SQLite to wrong rows.
        """
        rows: list[Row] = []
        size = 0
        for row in self._db.execute(sql, values):
            distance = (row[0] - previous) * step
            if distance <= 0 or (is_whole and rows and distance != 1):
                if rows:
                    break
                raise LogDamaged(f"{self._path}: the events are out of order: {REPAIR}")
            try:
                rows.append(self._check(row))
            except LogDamaged:
                if not rows:
                    raise
                break
            previous = row[0]
            size += len(row[-1])
            if size > READ_BYTES and len(rows) > 1:
                rows.pop()
                break
        return rows

    def _check(self, row: tuple[Any, ...]) -> Row:
        event_id, place_id, version, _, body = row
        place = self._place(place_id)
        if place is None or not is_event_intact(row, place):
            raise self.report_damage(event_id, place)
        return Row(event_id, place, body, version)

    def report_damage(self, event_id: int, place: Place | None = None) -> LogDamaged:
        agent, task = (place.agent, place.task) if place else (None, None)
        of = f" of {agent}" if agent else ""
        text = f"{self._path}: event {event_id}{of} is damaged: {REPAIR}"
        return LogDamaged(text, event_id, agent=agent, task=task)

    def _read_place(self, place_id: int) -> Place | None:
        sql = "SELECT agent, task, context, kind FROM place WHERE id = ?"
        found = self._db.execute(sql, (place_id,)).fetchone()
        return Place._make(found) if found else None


def _condition(where: Filter, newest_first: bool = False) -> tuple[str, list[str]]:
    """Build the rest of a WHERE clause, and its ORDER BY."""
    order = f"ORDER BY id {'DESC' if newest_first else 'ASC'}"
    if where == ALL:
        return order, []
    places, values = _places(where)
    # A task has few events, so use the index on place. An agent has many: scan in the
    # order of ids, or each page would sort them all. The plus disables the index.
    column = "place" if where.task or where.context else "+place"
    return f"AND {column} IN ({places}) {order}", values


def _places(where: Filter) -> tuple[str, list[str]]:
    """Build a SELECT of the matching places. Its text has only our own names."""
    clauses, values = ["TRUE"], []
    for column, wanted in zip(Place._fields, where, strict=True):
        if wanted:
            clauses.append(f"{column} IN ({', '.join('?' * len(wanted))})")
            values.extend(sorted(wanted))
    return f"SELECT id FROM place WHERE {' AND '.join(clauses)}", values  # noqa: S608
