"""The file of the SQLite log: its schema, its lock, its checks, its transactions."""

from __future__ import annotations

import fcntl
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import IO, Any

from ..errors import LogDamaged, LogError, LogRefused

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
# Version 1 had a separate table for A2A updates, and no versions.
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


class Insert:
    """Inserts many rows with one statement.

    After each statement the thread waits for the GIL, which the event loop may hold.
    """

    MAX_ROWS = 128  # With six columns: older SQLite versions allow 999 values.

    def __init__(self, table: str, columns: int, then: str = "") -> None:
        self._columns = columns
        row = f"({', '.join('?' * columns)})"
        self._statements = {
            count: f"INSERT INTO {table} VALUES {', '.join([row] * count)} {then}"  # noqa: S608
            for count in (1, 2, 4, 8, 16, 32, 64, self.MAX_ROWS)
        }

    def run(self, db: sqlite3.Connection, values: list[Any]) -> None:
        """Insert rows. `values` has the values of all rows, one row after the other."""
        done = 0
        while left := (len(values) - done) // self._columns:
            count = min(self.MAX_ROWS, 1 << left.bit_length() - 1)
            end = done + count * self._columns
            db.execute(self._statements[count], values[done:end])
            done = end


class transaction:
    """BEGIN … COMMIT, or ROLLBACK if the body or the commit fails."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> sqlite3.Connection:
        self._end()  # An earlier failure may have left a transaction open.
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


# A value or row that SQLite never takes: too big, out of range or not encodable.
REFUSALS = (
    sqlite3.DataError,
    sqlite3.InterfaceError,
    OverflowError,
    UnicodeError,
)
StoreError = sqlite3.Error | OSError | OverflowError | UnicodeError


def to_log_error(path: Path, error: StoreError, doing: str = "") -> LogError:
    """Convert an error of the store: LogDamaged, LogRefused, or one that may pass."""
    if isinstance(error, REFUSALS):
        return LogRefused(f"{path}: {doing}{error}")
    # Errors of the disk are subclasses, so only this exact class means damage. No entry
    # is against a constraint, so a failed one means that the file contradicts itself.
    if type(error) in (sqlite3.DatabaseError, sqlite3.IntegrityError):
        return LogDamaged(
            f"{path}: {doing}{error}: the file is damaged, or not a log of Courtside; "
            "stop the host, then restore a backup or choose another --data-dir"
        )
    return LogError(f"{path}: {doing}{error}")


def lock(path: Path) -> IO[str]:
    """Lock the log until the file is closed. The kernel unlocks it if we die."""
    held = path.with_name(path.name + ".lock").open("w")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        held.close()
        raise LogError(
            "another Courtside has this log open; stop it, or choose another --data-dir"
        ) from None
    return held


def connect(path: Path) -> sqlite3.Connection:
    # One thread uses each connection, but another thread opens it.
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


def check(path: Path) -> None:
    """Refuse a file that cannot be written, and a WAL of another file.

    SQLite does not check to which file a WAL belongs. If a WAL was left beside a
    restored backup, SQLite would write it over the backup. Raises LogError, OSError,
    sqlite3.Error.
    """
    if not path.exists():
        return
    with path.open("rb+"):  # SQLite would not say why it is not writable.
        pass
    wal = path.with_name(f"{path.name}-wal")
    if not wal.exists() or not wal.stat().st_size:
        return
    # Both connections are read-only, also when they are closed.
    with (
        closing(_reading(path, "immutable=1")) as alone,
        closing(_reading(path, "mode=ro")) as together,
    ):
        if not _is_continuation(alone, together):
            raise LogError(
                f"{wal.name} belongs to another database and would overwrite this "
                f"one: move {wal.name} away, or restore its database"
            )


def _reading(path: Path, how: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True)


def _is_continuation(alone: sqlite3.Connection, together: sqlite3.Connection) -> bool:
    """Return whether the file with its WAL continues the file without it."""
    bounds = "SELECT epoch, first FROM bounds"
    last = "SELECT id, body FROM event ORDER BY id DESC LIMIT 1"
    try:
        (epoch, _), event = (alone.execute(sql).fetchone() for sql in (bounds, last))
    except (sqlite3.Error, TypeError):
        return True  # A new file, or the host was killed while it copied the WAL.
    try:
        now, first = together.execute(bounds).fetchone()
        if now != epoch or event is None or event[0] < first:
            return bool(now == epoch)
        follow = "SELECT id, body FROM event WHERE id >= ? ORDER BY id LIMIT 2"
        same, *more = together.execute(follow, event[:1]).fetchall()
    except (sqlite3.Error, TypeError, ValueError):
        return False
    return same == event and all(row[0] == event[0] + 1 for row in more)


def prepare(db: sqlite3.Connection, first: int = 1) -> None:
    """Check the schema, migrate an old one, and create it in an empty file.

    The ids of a new log start with `first`. Raises LogError.
    """
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != APPLICATION_ID:
        raise LogError(
            "this database belongs to another program; choose another --data-dir"
        )
    if version > SCHEMA_VERSION:
        raise LogError(
            f"a newer Courtside wrote this log (format {version}; this Courtside reads "
            f"up to {SCHEMA_VERSION}); update Courtside, or choose another --data-dir"
        )
    db.execute("PRAGMA journal_mode = WAL")
    # With NORMAL, a power cut loses events that readers saw (test_feed_power_cut.py).
    db.execute("PRAGMA synchronous = FULL")
    if not tables:
        with transaction(db):
            for statement in SCHEMA.split(";"):
                db.execute(statement)
            db.execute(
                "INSERT INTO bounds VALUES (1, ?, ?, ?)",
                (secrets.token_hex(4), first, first - 1),
            )
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    elif version == 1:
        with transaction(db):
            for statement in FROM_1_TO_2.split(";"):
                db.execute(statement)
            db.execute("PRAGMA user_version = 2")
