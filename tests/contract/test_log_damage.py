"""Tests of the SQLite log and the feed on a file with flipped bits or missing rows.

The file stays a valid database, so SQLite reports nothing.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from host.errors import LogDamaged
from host.feed.feed import Feed
from host.log.contract import Row
from host.log.sqlite_log import SqliteLog
from host.merging.task_writer import TaskWriter
from host.model.filter import ALL, Filter
from host.protocol.task_record import TaskRecord
from tests.contract.entries import ALL_OF_IT, entry, rows
from tests.contract.sqlite_logs import open_log
from tests.support.damage import LAST, delete_events, flip_bit

EVENTS = [entry(n, raw=b'{"n": %d}' % n) for n in range(1, 8)]
WALTER = Filter(agent=frozenset(["walter"]))
OLD_LOGS = Path(__file__).parent / "logs"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log of seven updates of carly, then one row of walter, with a saved board."""
    path = tmp_path / "feed.db"
    anyio.run(_write, path)
    return path


async def _write(path: Path) -> None:
    async with open_log(path) as log:
        await log.append([*EVENTS, entry(1, "walter")])
        feed = Feed(log)
        await feed.open()
        await feed.checkpoint()


@pytest.mark.parametrize("column", ["body", "crc", "place", "version"])
async def test_damaged_event_is_reported_with_its_id(path: Path, column: str) -> None:
    flip_bit(path, "event", column, "id = 4")
    async with open_log(path) as log:
        assert await log.read(0, ALL_OF_IT) == rows(*EVENTS[:3])
        with pytest.raises(LogDamaged, match=r"event 4.*courtside repair") as damage:
            await log.read(3, ALL_OF_IT)
        assert damage.value.event_id == 4
        assert [row.id for row in await log.read(4, ALL_OF_IT)] == [5, 6, 7, 8]
        assert [row.id for row in await log.tail(9, ALL_OF_IT)] == [5, 6, 7, 8]
        with pytest.raises(LogDamaged, match="event 4"):
            await log.tail(5, 1)
        assert await log.append([entry(8)]) == [9]


async def test_damaged_a2a_update_is_reported_with_its_event(path: Path) -> None:
    flip_bit(path, "event", "raw", "id = 4", at=3)
    async with open_log(path) as log:
        assert len(await log.read(0, ALL_OF_IT)) == 8
        assert await log.raw(3) == EVENTS[2].raw
        with pytest.raises(LogDamaged, match="event 4"):
            await log.raw(4)


@pytest.mark.parametrize(
    ("column", "value"),
    [("body", "'text'"), ("body", "7"), ("crc", "'x'"), ("version", "1.5")],
)
async def test_value_of_a_wrong_type_is_damage(
    path: Path, column: str, value: str
) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"UPDATE event SET {column} = {value} WHERE id = 1")  # noqa: S608
        db.commit()
    async with open_log(path) as log:
        with pytest.raises(LogDamaged, match="event 1"):
            await log.read(0, ALL_OF_IT)


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("place", "agent"),
        ("place", "kind"),
        ("place", "crc"),
        ("source", "version"),
        ("source", "crc"),
    ],
)
def test_log_with_a_damaged_place_or_source_is_not_opened(
    path: Path, table: str, column: str
) -> None:
    """A damaged place would hide events from a filter, a source would drop new ones."""
    flip_bit(path, table, column)

    with pytest.raises(LogDamaged, match=f"{path}: .*{table}.*courtside repair"):
        SqliteLog(path)


@pytest.mark.parametrize(
    ("where", "missing"),
    [
        ("id = 1", "1 to 1"),
        ("id IN (3, 4, 6)", "3 to 4"),
        ("id < 8", "1 to 7"),
        ("TRUE", "1 to 8"),
    ],
)
def test_log_with_missing_events_is_not_opened(
    path: Path, where: str, missing: str
) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE bounds SET last = 8")
        db.commit()
    delete_events(path, where)

    with pytest.raises(LogDamaged, match=f"events {missing} are missing: .* repair"):
        SqliteLog(path)


@pytest.mark.parametrize("schema", [1, 2, 3])
def test_old_log_with_missing_events_is_not_migrated(
    tmp_path: Path, schema: int
) -> None:
    path = tmp_path / "feed.db"
    shutil.copy(OLD_LOGS / f"schema-{schema}.db", path)
    delete_events(path, "id = 4")

    with pytest.raises(LogDamaged, match="events 4 to 4 are missing"):
        SqliteLog(path)

    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (schema,)


@pytest.mark.parametrize("schema", [1, 2])
async def test_damaged_event_of_an_old_log_is_reported(
    tmp_path: Path, schema: int
) -> None:
    """Old rows have no checksum, so only a body that is no event is found."""
    path = tmp_path / "feed.db"
    shutil.copy(OLD_LOGS / f"schema-{schema}.db", path)
    flip_bit(path, "event", "body", f"id = {LAST}", at=0)
    async with open_log(path) as log:
        assert [row.id for row in await log.read(0, ALL_OF_IT)] == [2, 3, 4, 5]
        with pytest.raises(LogDamaged, match="event 6"):
            await log.read(5, ALL_OF_IT)


@pytest.mark.parametrize("column", ["board", "event_id", "crc"])
async def test_damaged_board_is_rebuilt_from_the_rows(path: Path, column: str) -> None:
    flip_bit(path, "checkpoint", column)
    async with open_log(path) as log:
        feed = Feed(log)
        await feed.open()

        task = feed.board.task("carly", "t1")
        assert task
        assert task.message == "update 7"
        assert list(feed.board.agents) == ["walter"]
        assert feed.fault is None


async def test_feed_opens_with_the_row_before_a_damaged_one(path: Path) -> None:
    flip_bit(path, "checkpoint", "board")
    for damaged in (6, 7):
        flip_bit(path, "event", "body", f"id = {damaged}")
    async with open_log(path) as log:
        feed = Feed(log)
        await feed.open()

        task = feed.board.task("carly", "t1")
        assert task
        assert task.message == "update 5"
        assert list(feed.board.agents) == ["walter"], "events after it are read too"
        assert "event 7 of carly is damaged" in (feed.fault or "")


async def test_task_with_a_damaged_event_continues(path: Path) -> None:
    flip_bit(path, "event", "body", f"id = {LAST} - 1")
    async with open_log(path) as log:
        feed = Feed(log)
        await feed.open()
        writer = TaskWriter("carly", "t1", feed)
        record = TaskRecord("carly", "t1")
        assert await writer.load(record)
        assert record.row
        assert record.row.message == "update 6"
        async with anyio.create_task_group() as group:
            group.start_soon(feed.write)
            writer.add([entry(8).event])
            await writer.flush()
            feed.close()

        last: list[Row] = await feed.history(8, None, 9, ALL)
        assert [(row.id, row.version) for row in last] == [(9, 8)]
        assert [row.id for row in await feed.history(0, None, 9, WALTER)] == [8]
