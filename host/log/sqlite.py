"""Owns the log in one SQLite file: WAL, synchronous=FULL, one writer thread.

`append` puts events and each source's last version into one transaction; reads go
through a connection and a thread of their own.
"""

from __future__ import annotations

import asyncio
import fcntl
import secrets
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, TypeVar

from host.errors import LogError
from host.filter import ALL, Filter, Place
from host.log import READ_BYTES, TRIM_STEP, Bounds, Entry, Row

T = TypeVar("T")

APPLICATION_ID = 0x436F7572
SCHEMA_VERSION = 2
SCHEMA = """
CREATE TABLE source (name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE place (
    id INTEGER PRIMARY KEY, agent TEXT NOT NULL, task TEXT, context TEXT,
    kind TEXT NOT NULL);
CREATE INDEX place_task ON place (task);
CREATE INDEX place_context ON place (context);
CREATE TABLE event (
    id INTEGER PRIMARY KEY, place INTEGER NOT NULL, version INTEGER NOT NULL,
    at REAL NOT NULL, body BLOB NOT NULL, raw BLOB);
CREATE INDEX event_place ON event (place, id);
CREATE TABLE checkpoint (one INTEGER PRIMARY KEY, event_id INTEGER, board BLOB);
CREATE TABLE bounds (one INTEGER PRIMARY KEY, epoch TEXT, first INTEGER, last INTEGER);
"""
# Version 1 kept the A2A updates in a table of their own, and no versions.
FROM_1_TO_2 = """
ALTER TABLE event RENAME TO old_event;
DROP INDEX event_place;
CREATE TABLE event (
    id INTEGER PRIMARY KEY, place INTEGER NOT NULL, version INTEGER NOT NULL,
    at REAL NOT NULL, body BLOB NOT NULL, raw BLOB);
INSERT INTO event
    SELECT old_event.id, place, 0, at, old_event.body, raw.body
    FROM old_event LEFT JOIN raw ON raw.id = old_event.id ORDER BY old_event.id;
CREATE INDEX event_place ON event (place, id);
DROP TABLE old_event;
DROP TABLE raw
"""
SELECT = "SELECT id, place, body, version FROM event"
COLUMNS = ("id", "place", "version", "at", "body", "raw")
MAX_ROWS = 128
_ROW = f"({', '.join('?' * len(COLUMNS))})"
_INSERTS = {
    count: f"INSERT INTO event VALUES {', '.join([_ROW] * count)}"  # noqa: S608
    for count in (1, 2, 4, 8, 16, 32, 64, MAX_ROWS)
}
MAX_CACHED = 100_000  # A bound, not a tuning: some 20 MB.


class SqliteLog:
    """Keeps the promises of `Log` in the file at `path`.

    Raises LogError when another process has it open, when it is no log of ours,
    or when it was written by a newer Courtside.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing = ThreadPoolExecutor(1, "log-writer")
        self._reading = ThreadPoolExecutor(1, "log-reader")
        self._places: dict[int, Place] = {}
        with ExitStack() as opened:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                opened.callback(_lock(path).close)
                self._writer = _connect(path)
                opened.callback(self._writer.close)
                _prepare(self._writer)
                self._reader = _connect(path)
                opened.callback(self._reader.close)
                self._load()
            except (sqlite3.Error, OSError) as error:
                raise LogError(f"{path}: cannot be opened: {error}") from error
            except LogError as error:
                raise LogError(f"{path}: {error}") from error
            self._opened = opened.pop_all()

    def _load(self) -> None:
        """Takes the counters from the file: at the start, and after a failure."""
        bounds = self._writer.execute("SELECT epoch, first, last FROM bounds")
        self._epoch, self._first, self._last = bounds.fetchone()
        newest = self._writer.execute("SELECT coalesce(max(id), 0) FROM place")
        (self._last_place,) = newest.fetchone()
        self._versions: dict[str, int] = {}
        self._place_ids: dict[Place, int] = {}
        self._in_doubt = False

    async def _run(self, thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(thread, work)
        except sqlite3.Error as error:
            raise LogError(f"{self._path}: {error}") from error

    async def append(self, entries: Sequence[Entry]) -> list[int | None]:
        return await self._run(self._writing, lambda: self._append(entries))

    def _append(self, entries: Sequence[Entry]) -> list[int | None]:
        if self._in_doubt:
            self._load()
        ids: list[int | None] = []
        now = time.time()
        last = self._last
        events: list[Any] = []
        versions: dict[str, int] = {}
        self._in_doubt = True
        with _transaction(self._writer) as db:
            for entry in entries:
                source, version = entry.source, entry.version
                if version <= (versions.get(source) or self._version(source)):
                    ids.append(None)
                    continue
                last += 1
                versions[source] = version
                place = self._place_id(entry.place)
                events += (last, place, version, now, entry.body, entry.raw)
                ids.append(last)
            _insert(db, events)
            db.executemany(
                "INSERT INTO source VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET version = excluded.version",
                versions.items(),
            )
            db.execute("UPDATE bounds SET last = ?", (last,))
        self._last = last
        self._versions.update(versions)
        self._in_doubt = False
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

    def _place_id(self, place: Place) -> int:
        """The row of a place; made in the append's transaction when it is new."""
        known = self._place_ids.get(place)
        if known is None:
            if len(self._place_ids) > MAX_CACHED:
                self._place_ids.clear()
            found = self._writer.execute(
                "SELECT id FROM place WHERE agent = ? AND task IS ? AND context IS ? "
                "AND kind = ?",
                place,
            ).fetchone()
            if found:
                known = int(found[0])
            else:
                known = self._last_place = self._last_place + 1
                self._writer.execute(
                    "INSERT INTO place VALUES (?, ?, ?, ?, ?)", (known, *place)
                )
            self._place_ids[place] = known
        return known

    async def read(self, after: int, limit: int, where: Filter = ALL) -> list[Row]:
        condition, values = _condition(where)
        sql = f"{SELECT} WHERE id > ? {condition} LIMIT ?"
        return await self._rows(sql, (after, *values, limit))

    async def tail(self, before: int, limit: int, where: Filter = ALL) -> list[Row]:
        condition, values = _condition(where, newest_first=True)
        sql = f"{SELECT} WHERE id < ? {condition} LIMIT ?"
        return (await self._rows(sql, (before, *values, limit)))[::-1]

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

    def _place(self, place_id: int) -> Place:
        known = self._places.get(place_id)
        if known is None:
            if len(self._places) > MAX_CACHED:
                self._places.clear()
            sql = "SELECT agent, task, context, kind FROM place WHERE id = ?"
            found = self._reader.execute(sql, (place_id,)).fetchone()
            known = self._places[place_id] = Place._make(found)
        return known

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
            with _transaction(self._writer) as db:
                db.execute(
                    "INSERT OR REPLACE INTO checkpoint VALUES (1, ?, ?)",
                    (event_id, board),
                )

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
            with _transaction(self._writer) as db:
                db.execute("DELETE FROM event WHERE id < ?", (first,))
                db.execute("UPDATE bounds SET first = ?", (first,))
            self._first = first
            self._in_doubt = False
        return dropped

    async def close(self) -> None:
        self._writing.shutdown()
        self._reading.shutdown()
        self._opened.close()


def _insert(db: sqlite3.Connection, values: list[Any]) -> None:
    """Rows of `event`, one after the other in `values`: many with each statement.

    Between two statements another thread runs, for as long as it likes to.
    """
    done = 0
    while left := (len(values) - done) // len(COLUMNS):
        count = min(MAX_ROWS, 1 << left.bit_length() - 1)
        end = done + count * len(COLUMNS)
        db.execute(_INSERTS[count], values[done:end])
        done = end


class _transaction:
    """BEGIN … COMMIT, or ROLLBACK when the body or the commit fails."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> sqlite3.Connection:
        self._end()  # What a failure before this one may have left open.
        self._db.execute("BEGIN IMMEDIATE")
        return self._db

    def __exit__(self, failed: object, *_: object) -> None:
        try:
            if failed is None:
                self._db.execute("COMMIT")
        finally:
            self._end()

    def _end(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")


def _lock(path: Path) -> IO[str]:
    """Held while the log is open; the kernel lets go of it when we die."""
    lock = path.with_name(path.name + ".lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise LogError(
            "another Courtside has this log open; stop it, or choose another --data-dir"
        ) from None
    return lock


def _connect(path: Path) -> sqlite3.Connection:
    # Each connection is used by one thread only, but not the one that opens it.
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


def _prepare(db: sqlite3.Connection) -> None:
    """Makes sure that the file is a log of ours, and makes one of an empty file."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != APPLICATION_ID:
        raise LogError("it is another program's database; choose another --data-dir")
    if version > SCHEMA_VERSION:
        raise LogError(
            f"it was written by a newer Courtside (log version {version}, this one "
            f"knows {SCHEMA_VERSION}); update, or choose another --data-dir"
        )
    db.execute("PRAGMA journal_mode = WAL")
    # With NORMAL a power cut loses events that readers saw: test_feed_power_cut.py.
    db.execute("PRAGMA synchronous = FULL")
    if not tables:
        with _transaction(db):
            for statement in SCHEMA.split(";"):
                db.execute(statement)
            db.execute(
                "INSERT INTO bounds VALUES (1, ?, 1, 0)", (secrets.token_hex(4),)
            )
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    elif version == 1:
        with _transaction(db):
            for statement in FROM_1_TO_2.split(";"):
                db.execute(statement)
            db.execute("PRAGMA user_version = 2")


def _condition(where: Filter, newest_first: bool = False) -> tuple[str, list[str]]:
    """The rest of a WHERE and its ORDER BY. Only names of ours enter the text."""
    clauses, values = [], []
    for column, wanted in zip(Place._fields, where, strict=True):
        if wanted:
            clauses.append(f"{column} IN ({', '.join('?' * len(wanted))})")
            values.extend(sorted(wanted))
    order = f"ORDER BY id {'DESC' if newest_first else 'ASC'}"
    if not clauses:
        return order, values
    # A task has few events: by the index. An agent has many: in order of ids, or
    # each page would sort them all; the plus keeps SQLite off the index.
    column = "place" if where.task or where.context else "+place"
    places = f"SELECT id FROM place WHERE {' AND '.join(clauses)}"  # noqa: S608
    return f"AND {column} IN ({places}) {order}", values
