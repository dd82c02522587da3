"""Tests of host/log/trimming.py: with keep_bytes, the file has a known size."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from host.feed.feed import Feed
from host.log.contract import Entry
from host.log.sqlite_file import wal_of
from host.log.sqlite_log import SqliteLog
from tests.contract.entries import entry, everything

LIMIT = 20 * 1024 * 1024
RAW = b'"%b"' % (b"x" * 50_000)
PER_BATCH = 40
SLACK = 2 * PER_BATCH * len(RAW)


def batch(number: int) -> list[Entry]:
    """Build events of tasks of their own."""
    first = number * PER_BATCH
    return [entry(1, f"carly/t{first + n}", raw=RAW) for n in range(PER_BATCH)]


def count(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as db:
        sql = f"SELECT count(*) FROM {table}"  # noqa: S608
        return int(db.execute(sql).fetchone()[0])


def size_of(path: Path) -> int:
    return path.stat().st_size


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "feed.db"


async def test_file_of_a_full_log_stays_within_its_limit(path: Path) -> None:
    """Ten times the limit is written."""
    log = SqliteLog(path)
    feed = Feed(log, keep_bytes=LIMIT)
    await feed.open()
    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        for number in range(10 * LIMIT // (PER_BATCH * len(RAW))):
            await feed.append(batch(number))
            await feed.maintain()
            assert size_of(path) < LIMIT + SLACK
        feed.close()

    state = await feed.state()
    assert state.log.keep_bytes == LIMIT
    assert LIMIT - SLACK < state.log.bytes <= LIMIT
    assert size_of(wal_of(path)) < LIMIT
    kept = await everything(log)
    assert state.log.dropped == kept[0].id - 1
    assert kept[-1].id == feed.head
    await log.close()
    assert count(path, "place") == len(kept), "places of deleted events are deleted"


async def test_task_whose_events_were_deleted_goes_on(path: Path) -> None:
    log = SqliteLog(path)
    await log.append([entry(1, "carly/t1"), entry(1, "carly/t2")])
    assert await log.trim(1, None) == 1
    assert await log.append([entry(1, "carly/t1"), entry(2, "carly/t1")]) == [None, 3]

    assert [row.place.task for row in await everything(log)] == ["t2", "t1"]
    await log.close()
    log = SqliteLog(path)
    assert [row.place.task for row in await everything(log)] == ["t2", "t1"]
    await log.close()
