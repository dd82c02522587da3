"""The log in one SQLite file: WAL, synchronous=FULL, one writer thread.

`append` stores events and the last version of each source in one transaction. Reads use
their own connection and thread.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from ..errors import LogError
from ..model.filter import ALL, Filter, Place
from .contract import (
    MAX_ROW_BYTES,
    READ_BYTES,
    TRIM_STEP,
    Bounds,
    Entry,
    Row,
    refuse_size,
)
from .sqlite_file import (
    REFUSALS,
    Insert,
    check,
    connect,
    lock,
    prepare,
    to_log_error,
    transaction,
)
from .wal_checkpoint import WalCheckpointer

T = TypeVar("T")

SELECT = "SELECT id, place, body, version FROM event"
EVENTS = Insert("event", 6)
SOURCES = Insert(
    "source", 2, "ON CONFLICT (name) DO UPDATE SET version = excluded.version"
)
STATEMENT_BYTES = 1024 * 1024  # SQLite copies the values of a statement.
ROW_BYTES = 1024  # An estimate, for rows that are deleted unread.
MAX_CACHED = 100_000  # Only a limit: about 20 MB.


class SqliteLog:
    """A `Log` in the file at `path`.

    Raises LogError if another process has it open, if it is not a log of Courtside, or
    if a newer Courtside wrote it.
    """

    def __init__(self, path: Path, first: int = 1) -> None:
        """Open the log, or create it with `first` as the id of its first event."""
        self._path = path
        self._writing = ThreadPoolExecutor(1, "log-writer")
        self._reading = ThreadPoolExecutor(1, "log-reader")
        self._place = lru_cache(MAX_CACHED)(self._read_place)
        with ExitStack() as opened:
            try:
                path.parent.mkdir(0o700, parents=True, exist_ok=True)
                opened.callback(lock(path).close)
                check(path)
                self._writer = connect(path)
                opened.callback(self._writer.close)
                prepare(self._writer, first)
                self._checkpointer = WalCheckpointer(path, self._writer)
                opened.callback(self._checkpointer.close)
                self._reader = connect(path)
                opened.callback(self._reader.close)
                self._load()
            except (sqlite3.Error, OSError) as error:
                raise to_log_error(path, error, "cannot be opened: ") from error
            except LogError as error:
                raise LogError(f"{path}: {error}") from error
            self._opened = opened.pop_all()

    def _load(self) -> None:
        """Load the counters from the file: at the start, and after a failure."""
        bounds = self._writer.execute(
            "SELECT epoch, first, max(last, coalesce((SELECT max(id) FROM event), 0)) "
            "FROM bounds"
        )
        self._epoch, self._first, self._last = bounds.fetchone()
        newest = self._writer.execute("SELECT coalesce(max(id), 0) FROM place")
        self._last_place: int = newest.fetchone()[0]
        self._versions: dict[str, int] = {}
        self._place_id = lru_cache(MAX_CACHED)(self._find_or_add_place)
        self._in_doubt = False

    async def _run(self, thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(thread, work)
        except (sqlite3.Error, *REFUSALS) as error:
            raise to_log_error(self._path, error) from error

    async def append(self, entries: Sequence[Entry]) -> list[int | None]:
        return await self._run(self._writing, lambda: self._append(entries))

    def _append(self, entries: Sequence[Entry]) -> list[int | None]:
        if self._in_doubt:
            self._load()
        ids: list[int | None] = []
        now = time.time()
        last = self._last
        events: list[Any] = []
        size = total = 0
        versions: dict[str, int] = {}
        self._in_doubt = True
        with transaction(self._writer) as db:
            for entry in entries:
                source, version = entry.source, entry.version
                if version <= (versions.get(source) or self._version(source)):
                    ids.append(None)
                    continue
                last += 1
                versions[source] = version
                place = self._place_id(entry.place)
                events += (last, place, entry.number, now, entry.body, entry.raw)
                ids.append(last)
                if (row_bytes := entry.size) > MAX_ROW_BYTES:
                    raise refuse_size(entry)
                size += row_bytes
                if size > STATEMENT_BYTES:
                    EVENTS.run(db, events)
                    total += size
                    events, size = [], 0
            EVENTS.run(db, events)
            SOURCES.run(db, list(chain.from_iterable(versions.items())))
        self._last = last
        self._versions.update(versions)
        self._in_doubt = False
        self._checkpointer.note_commit(total + size)
        return ids

    def _version(self, source: str) -> int:
        known = self._versions.get(source)
        if known is None:
            if len(self._versions) > MAX_CACHED:
                self._versions.clear()
            found = self._writer.execute(
                "SELECT version FROM source WHERE name = ?", (source,)
            ).fetchone()
            known = self._versions[source] = found[0] if found else 0
        return known

    def _find_or_add_place(self, place: Place) -> int:
        """Return the id of a place. Adds a new one in the append's transaction."""
        # Many places have no context, or no task: an index would find them all.
        task, context = ("task", "+context") if place.task else ("+task", "context")
        found = self._writer.execute(
            f"SELECT id FROM place WHERE agent = ? AND {task} IS ? "  # noqa: S608
            f"AND {context} IS ? AND kind = ?",
            place,
        ).fetchone()
        if found:
            return int(found[0])
        self._last_place += 1
        self._writer.execute(
            "INSERT INTO place VALUES (?, ?, ?, ?, ?)", (self._last_place, *place)
        )
        return self._last_place

    async def read(self, after: int, limit: int, where: Filter = ALL) -> list[Row]:
        condition, values = _condition(where)
        sql = f"{SELECT} WHERE id > ? {condition} LIMIT ?"
        return await self._rows(sql, (after, *values, limit))

    async def tail(self, before: int, limit: int, where: Filter = ALL) -> list[Row]:
        condition, values = _condition(where, newest_first=True)
        sql = f"{SELECT} WHERE id < ? {condition} LIMIT ?"
        return (await self._rows(sql, (before, *values, limit)))[::-1]

    async def latest(self, after: int, where: Filter) -> list[Row]:
        places, values = _places(where)
        # Uses the index: a million rows of a thousand tasks take a thousand look-ups.
        newest = "SELECT max(e.id) FROM event e WHERE e.place = p.id"
        ids = f"SELECT ({newest}) FROM place p WHERE p.id IN ({places})"  # noqa: S608
        sql = f"{SELECT} WHERE id IN ({ids}) AND id > ? ORDER BY id"
        return await self._rows(sql, (*values, after))

    async def _rows(self, sql: str, values: tuple[object, ...]) -> list[Row]:
        def fetch() -> list[Row]:
            rows: list[Row] = []
            size = 0
            for event_id, place, body, version in self._reader.execute(sql, values):
                size += len(body)
                if rows and size > READ_BYTES:
                    break
                rows.append(Row(event_id, self._place(place), body, version))
            return rows

        return await self._run(self._reading, fetch)

    def _read_place(self, place_id: int) -> Place:
        sql = "SELECT agent, task, context, kind FROM place WHERE id = ?"
        return Place._make(self._reader.execute(sql, (place_id,)).fetchone())

    async def raw(self, event_id: int) -> bytes | None:
        sql = "SELECT raw FROM event WHERE id = ?"
        found = await self._run(
            self._reading, lambda: self._reader.execute(sql, (event_id,)).fetchone()
        )
        return found[0] if found else None

    async def bounds(self) -> Bounds:
        return Bounds(self._epoch, self._first, self._last)

    async def high_water(self, source: str) -> int:
        def version() -> int:
            if self._in_doubt:
                self._load()
            return self._version(source)

        return await self._run(self._writing, version)

    async def save_checkpoint(self, event_id: int, board: bytes) -> None:
        def save() -> None:
            with transaction(self._writer) as db:
                db.execute(
                    "INSERT OR REPLACE INTO checkpoint VALUES (1, ?, ?)",
                    (event_id, board),
                )
            self._checkpointer.note_commit(len(board))

        await self._run(self._writing, save)

    async def checkpoint(self) -> tuple[int, bytes] | None:
        sql = "SELECT event_id, board FROM checkpoint"
        found = await self._run(
            self._reading, lambda: self._reader.execute(sql).fetchone()
        )
        return (found[0], found[1]) if found else None

    async def trim(self, keep_count: int, max_age_s: float | None) -> int:
        return await self._run(self._writing, lambda: self._trim(keep_count, max_age_s))

    def _trim(self, keep_count: int, max_age_s: float | None) -> int:
        if self._in_doubt:
            self._load()
        first: int = max(self._first, self._last - keep_count + 1)
        if max_age_s is not None:
            young = self._writer.execute(
                "SELECT id FROM event WHERE at > ? ORDER BY id LIMIT 1",
                (time.time() - max_age_s,),
            ).fetchone()
            first = max(first, young[0] if young else self._last + 1)
        first = min(first, self._first + TRIM_STEP)
        dropped: int = first - self._first
        if dropped:
            self._in_doubt = True
            with transaction(self._writer) as db:
                db.execute("DELETE FROM event WHERE id < ?", (first,))
                # Only here: an append need not repeat what the events contain.
                db.execute("UPDATE bounds SET first = ?, last = ?", (first, self._last))
            self._first = first
            self._in_doubt = False
            self._checkpointer.note_commit(dropped * ROW_BYTES)
        return dropped

    async def close(self) -> None:
        self._writing.shutdown()
        self._reading.shutdown()
        self._opened.close()


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
