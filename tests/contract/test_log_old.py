"""Tests of the migration of logs that an older Courtside wrote."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from host.errors import LogError
from host.feed.feed import Feed
from host.log.contract import Entry, Row
from host.log.sqlite_log import SqliteLog
from host.log.sqlite_schema import APPLICATION_ID
from host.model.filter import Filter
from tests.contract.entries import entry, everything, ids, row

SCHEMA_1 = """
CREATE TABLE source (name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE place (
    id INTEGER PRIMARY KEY, agent TEXT NOT NULL, task TEXT, context TEXT,
    kind TEXT NOT NULL);
CREATE INDEX place_task ON place (task);
CREATE INDEX place_context ON place (context);
CREATE TABLE event (
    id INTEGER PRIMARY KEY, place INTEGER NOT NULL, at REAL NOT NULL,
    body BLOB NOT NULL);
CREATE INDEX event_place ON event (place, id);
CREATE TABLE raw (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE checkpoint (one INTEGER PRIMARY KEY, event_id INTEGER, board BLOB);
CREATE TABLE bounds (one INTEGER PRIMARY KEY, epoch TEXT, first INTEGER, last INTEGER);
"""
FIRST = 4  # Earlier events were trimmed.
KEPT = [
    entry(2, raw=b'{"task": {}}'),
    entry(1, "walter"),
    entry(3, raw=b""),
    entry(1, "walter/t2", context="c2", raw=b'{"statusUpdate": {}}'),
]
VERSIONS = {"carly/t1": 3, "walter": 1, "walter/t2": 1}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log of version 1 with KEPT in it."""
    path = tmp_path / "feed.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(SCHEMA_1)
        places = {of.place: number for number, of in enumerate(KEPT, 1)}
        db.executemany(
            "INSERT INTO place VALUES (?, ?, ?, ?, ?)",
            [(number, *place) for place, number in places.items()],
        )
        db.executemany("INSERT INTO source VALUES (?, ?)", VERSIONS.items())
        for event_id, of in enumerate(KEPT, FIRST):
            event = (event_id, places[of.place], 1_800_000_000.0 + event_id, of.body)
            db.execute("INSERT INTO event VALUES (?, ?, ?, ?)", event)
            if of.raw is not None:
                db.execute("INSERT INTO raw VALUES (?, ?)", (event_id, of.raw))
        last = FIRST + len(KEPT) - 1
        db.execute("INSERT INTO bounds VALUES (1, 'abcd', ?, ?)", (FIRST, last))
        db.execute("INSERT INTO checkpoint VALUES (1, 5, ?)", (b"board",))
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute("PRAGMA user_version = 1")
        db.commit()
    return path


def rows_without_versions(kept: list[Entry]) -> list[Row]:
    """Return the rows of `kept` without versions, which schema 1 did not store."""
    return [replace(row(n, of), version=0) for n, of in enumerate(kept, FIRST)]


async def assert_nothing_is_lost(path: Path) -> None:
    log = SqliteLog(path)
    assert await everything(log) == rows_without_versions(KEPT)
    assert await log.bounds() == ("abcd", 4, 7)
    assert await log.checkpoint() == (5, b"board")
    assert [await log.raw(n) for n in range(3, 9)] == [
        None,
        KEPT[0].raw,
        None,
        b"",
        KEPT[3].raw,
        None,
    ]
    assert {name: await log.high_water(name) for name in VERSIONS} == VERSIONS
    await log.close()


async def test_old_log_opens_without_loss(path: Path) -> None:
    await assert_nothing_is_lost(path)
    await assert_nothing_is_lost(path)


async def test_old_log_continues_after_its_last_event(path: Path) -> None:
    log = SqliteLog(path)

    again, new = KEPT[2], entry(4, raw=b"{}")
    assert await log.append([again, new]) == [None, 8]

    of_task = Filter(task=frozenset(["t1"]))
    old = [kept for kept in rows_without_versions(KEPT) if kept.place.task == "t1"]
    assert await log.read(0, 9, of_task) == [*old, row(8, new)]
    assert await log.raw(8) == b"{}"
    assert await log.trim(2, None) == 3
    assert await ids(log) == [7, 8]
    await log.close()


async def test_failed_migration_leaves_the_log_unchanged(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect
    for due in itertools.count(1):
        failing = _failing(due)
        with monkeypatch.context() as patch:
            patch.setattr(
                sqlite3,
                "connect",
                lambda *a, to=failing, **named: connect(*a, factory=to, **named),
            )
            try:
                log = SqliteLog(path)
            except LogError as error:
                assert str(error) == f"{path}: cannot be opened: disk full"
                with closing(connect(path)) as db:
                    assert db.execute("PRAGMA user_version").fetchone() == (1,)
                    assert db.execute("SELECT count(*) FROM raw").fetchone() == (3,)
                continue
            await log.close()
        break

    assert due > 8, "no statement of the migration failed"
    await assert_nothing_is_lost(path)


def _failing(due: int) -> type[sqlite3.Connection]:
    """Build a connection class whose `due`-th statement in a transaction fails."""

    class Failing(sqlite3.Connection):
        left = due

        def execute(self, *statement: Any) -> sqlite3.Cursor:
            if self.in_transaction and not statement[0].startswith("ROLLBACK"):
                Failing.left -= 1
                if not Failing.left:
                    raise sqlite3.OperationalError("disk full")
            return super().execute(*statement)

    return Failing


@pytest.mark.parametrize("schema", [1, 2, 3])
async def test_log_of_a_release_opens_and_the_feed_continues(
    schema: int, tmp_path: Path
) -> None:
    """logs/ has files that those releases wrote: six events, the first one trimmed."""
    path = tmp_path / "feed.db"
    shutil.copy(Path(__file__).parent / "logs" / f"schema-{schema}.db", path)
    log = SqliteLog(path)
    feed = Feed(log)
    await feed.open()

    events = [msgspec.json.decode(kept.body) for kept in await everything(log)]
    assert [event.get("message") for event in events] == [
        "update 2",
        None,
        "answer 1",
        "update 1",
        "update 3",
    ]
    assert [(await log.bounds())[1:], feed.head] == [(2, 6), 6]
    assert {row.message for row in feed.board.tasks()} == {"update 1", "update 3"}
    assert list(feed.board.agents) == ["walter"]
    assert await log.raw(6) == b'{"statusUpdate": {"taskId": "t1"}}'
    assert await log.append([entry(3), entry(4)]) == [None, 7]
    await log.close()
