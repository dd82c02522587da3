"""The schema of the SQLite log, and its migrations."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from ..errors import LogDamaged, LogError
from ..model.filter import Place
from .checksums import check_board, check_place, check_source
from .private_files import opener, sync_folder
from .sqlite_file import Insert, connect, transaction

APPLICATION_ID = 0x436F7572
SCHEMA_VERSION = 3
SCHEMA = """
CREATE TABLE source (
    name TEXT PRIMARY KEY, version INTEGER NOT NULL, crc INTEGER) WITHOUT ROWID;
CREATE TABLE place (
    id INTEGER PRIMARY KEY, agent TEXT NOT NULL, task TEXT, context TEXT,
    kind TEXT NOT NULL, crc INTEGER);
CREATE INDEX place_task ON place (task);
CREATE INDEX place_context ON place (context);
CREATE TABLE event (
    id INTEGER PRIMARY KEY, place INTEGER NOT NULL, version INTEGER NOT NULL,
    at REAL NOT NULL, crc INTEGER, body BLOB NOT NULL, raw BLOB);
CREATE INDEX event_place ON event (place, id);
CREATE TABLE checkpoint (
    one INTEGER PRIMARY KEY, event_id INTEGER, board BLOB, crc INTEGER);
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
# Version 2 had no checksums. Old events keep none: to compute them takes too long.
FROM_2_TO_3 = """
ALTER TABLE event ADD COLUMN crc INTEGER;
ALTER TABLE checkpoint ADD COLUMN crc INTEGER;
ALTER TABLE place ADD COLUMN crc INTEGER;
ALTER TABLE source ADD COLUMN crc INTEGER;
UPDATE place SET crc = check_place(id, agent, task, context, kind);
UPDATE source SET crc = check_source(name, version)
"""
EVENTS = Insert("event", "id, place, version, at, crc, body, raw")
SOURCES = Insert(
    "source",
    "name, version, crc",
    "ON CONFLICT (name) DO UPDATE SET version = excluded.version, crc = excluded.crc",
)
REPAIR = "stop the host and run courtside repair, which works on a copy"


def insert_sources(db: sqlite3.Connection, versions: Mapping[str, int]) -> None:
    """Store the last version of each source."""
    values: list[object] = []
    for name, version in versions.items():
        values += (name, version, check_source(name, version))
    SOURCES.run(db, values)


def save_checkpoint(db: sqlite3.Connection, event_id: int, board: bytes) -> None:
    db.execute(
        "INSERT OR REPLACE INTO checkpoint VALUES (1, ?, ?, ?)",
        (event_id, board, check_board(event_id, board)),
    )


def describe_source(name: object) -> str:
    return f"the source {name!r} is damaged: {REPAIR}"


def create(path: Path, first: int) -> None:
    """Create the file. It appears only when it is complete.

    The ids of the log start with `first`.
    """
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with open(draft, "xb", opener=opener), closing(connect(draft)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        with transaction(db):
            for statement in SCHEMA.split(";"):
                db.execute(statement)
            db.execute(
                "INSERT INTO bounds VALUES (1, ?, ?, ?)",
                (secrets.token_hex(4), first, first - 1),
            )
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    draft.rename(path)
    sync_folder(path.parent)


def prepare(db: sqlite3.Connection) -> None:
    """Check the file and its schema, and migrate an old one. Raises LogError."""
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise LogError(
            "this database belongs to another program; choose another --data-dir"
        )
    if version > SCHEMA_VERSION:
        raise LogError(
            f"a newer Courtside wrote this log (format {version}; this Courtside reads "
            f"up to {SCHEMA_VERSION}); update Courtside, or choose another --data-dir"
        )
    check_ids(db)
    db.execute("PRAGMA journal_mode = WAL")
    # With NORMAL, a power cut loses events that readers saw (test_feed_power_cut.py).
    db.execute("PRAGMA synchronous = FULL")
    if version < SCHEMA_VERSION:
        _migrate(db, version)


def _migrate(db: sqlite3.Connection, version: int) -> None:
    db.create_function("check_place", 5, lambda of, *row: check_place(of, Place(*row)))
    db.create_function("check_source", 2, check_source)
    steps = [FROM_1_TO_2, FROM_2_TO_3][version - 1 :]
    with transaction(db):
        for statement in ";".join(steps).split(";"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def check_ids(db: sqlite3.Connection) -> None:
    """Raises LogDamaged if events are missing: ids have no holes."""
    bounds = db.execute("SELECT epoch, first, last FROM bounds").fetchone()
    if not bounds or [type(value) for value in bounds] != [str, int, int]:
        raise LogDamaged(f"the table bounds is damaged: {REPAIR}")
    _, first, last = bounds
    count, low, high = db.execute(
        "SELECT count(*), min(id), max(id) FROM event"
    ).fetchone()
    low, high = (low, high) if count else (last + 1, last)
    if low == first and high >= last and high - low + 1 == count:
        return
    missing = _find_missing(db, first, last, low) if count else (first, last)
    raise LogDamaged("events {} to {} are missing: {}".format(*missing, REPAIR))


def _find_missing(
    db: sqlite3.Connection, first: int, last: int, low: int
) -> tuple[int, int]:
    """Return the first missing ids of a log that has some events."""
    if low != first:
        return min(low, first), max(low, first) - 1
    (before,) = db.execute(
        "SELECT min(id) FROM event e "
        "WHERE NOT EXISTS (SELECT 1 FROM event WHERE id = e.id + 1)"
    ).fetchone()
    (after,) = db.execute(
        "SELECT min(id) FROM event WHERE id > ?", (before,)
    ).fetchone()
    return before + 1, after - 1 if after else last
