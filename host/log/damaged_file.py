"""Reads the rows of a log file that may be damaged in any place."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from ..model.event import Event, decode
from ..model.filter import Place
from .checksums import is_board_intact, is_event_intact, is_raw_intact, is_source_intact
from .contract import place_of

CHUNK = 1_000
MAX_MISSING = 1_000_000  # At the start or the end. A bound beyond them is damaged.
MAX_EVENTS = 1_000_000_000
UNREADABLE = (sqlite3.Error, UnicodeDecodeError, OverflowError)
RAW_OF_1 = "(SELECT raw.body FROM raw WHERE raw.id = event.id)"


class Found(NamedTuple):
    """A row of `event`. `event` is None if it is damaged; the rest may be wrong then.

    `raw_is_lost`: only the A2A update is damaged.
    """

    id: int
    event: Event | None
    place: Place | None
    version: int
    at: float
    body: bytes
    raw: bytes | None
    raw_is_lost: bool


class DamagedFile:
    """Needs a header that SQLite can read. Skips everything that it cannot read."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Raises sqlite3.DatabaseError if the file is no database."""
        self._db = db
        (schema,) = db.execute("PRAGMA user_version").fetchone()
        version = "0" if schema == 1 else "version"
        crc = "crc" if schema > 2 else "NULL"
        raw = RAW_OF_1 if schema == 1 else "raw"
        self._select = f"SELECT id, place, {version}, {crc}, body, at, {raw} FROM event"  # noqa: S608
        self._crc = crc
        self._places: dict[int, Place | None] = {}

    def bounds(self) -> tuple[str | None, int, int]:
        """Return the epoch, None if it is unreadable, and the first and last id."""
        rows = self._try("SELECT epoch, first, last FROM bounds")
        epoch, first, last = rows[0] if rows else (None, None, None)
        low = _number(self._try("SELECT min(id) FROM event"))
        high = _number(self._try("SELECT max(id) FROM event"))
        first = _choose(first, low, range(-MAX_MISSING, 1))
        last = _choose(last, high, range(MAX_MISSING + 1))
        if first is None or last is None or last - first > MAX_EVENTS:
            raise sqlite3.DatabaseError("no event can be read")
        is_epoch = type(epoch) is str and epoch.isascii() and epoch.isalnum()
        return (epoch if is_epoch else None), first, last

    def events(self, first: int, last: int) -> Iterator[Found]:
        """Yield the rows that can be read, in the order of ids."""
        for start in range(first, last + 1, CHUNK):
            end = min(start + CHUNK - 1, last)
            sql = f"{self._select} WHERE id BETWEEN ? AND ? ORDER BY id"
            try:
                rows = self._db.execute(sql, (start, end)).fetchall()
            except UNREADABLE:
                rows = [row for i in range(start, end + 1) for row in self._one(i)]
            yield from map(self._check, rows)

    def _one(self, event_id: int) -> list[Any]:
        return self._try(f"{self._select} WHERE id = ?", event_id)

    def sources(self) -> dict[str, int]:
        """Return the last version of each source, as far as it can be read."""
        return {
            name: version
            for name, version, crc in self._try(
                f"SELECT name, version, {self._crc} FROM source"  # noqa: S608
            )
            if is_source_intact(name, version, crc)
        }

    def checkpoint(self) -> tuple[int, bytes] | None:
        rows = self._try(f"SELECT event_id, board, {self._crc} FROM checkpoint")  # noqa: S608
        return rows[0][:2] if rows and is_board_intact(*rows[0]) else None

    def _check(self, row: tuple[Any, ...]) -> Found:
        event_id, place_id, version, crc, body, at, raw = row
        number = version if type(version) is int else 0
        at = at if type(at) is float else 0.0
        place = self._place(place_id)
        event = _decode(body)
        # The place may be damaged, and not the event: the event has it too.
        own = place_of(event) if event else None
        if own is None or not is_event_intact(row[:5], own):
            return Found(event_id, None, place, number, at, b"", None, raw_is_lost=True)
        is_lost = not is_raw_intact(crc, raw)
        raw = None if is_lost else raw
        return Found(event_id, event, own, number, at, body, raw, is_lost)

    def _place(self, place_id: Any) -> Place | None:
        if place_id not in self._places:
            sql = "SELECT agent, task, context, kind FROM place WHERE id = ?"
            rows = self._try(sql, place_id)
            place = Place._make(rows[0]) if rows else None
            self._places[place_id] = place if place and _is_place(place) else None
        return self._places[place_id]

    def _try(self, sql: str, *values: Any) -> list[Any]:
        """Return the rows, or those before the first damaged one."""
        rows = []
        try:
            for row in self._db.execute(sql, values):
                rows.append(row)
        except UNREADABLE:
            pass
        return rows


def _choose(bound: Any, found: int | None, distance: range) -> int | None:
    """Return a bound if no event contradicts it, else the id of the event."""
    if found is None:
        return bound if type(bound) is int else None
    return bound if type(bound) is int and bound - found in distance else found


def _number(rows: list[Any]) -> int | None:
    return rows[0][0] if rows and type(rows[0][0]) is int else None


def _is_place(place: Place) -> bool:
    agent, task, context, kind = (type(value) for value in place)
    optional = {str, type(None)}
    return agent is kind is str and {task, context} <= optional


def _decode(body: Any) -> Event | None:
    try:
        return decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError):
        return None
