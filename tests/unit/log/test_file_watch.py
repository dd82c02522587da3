"""Tests of host/log/file_watch.py: another program moves the files of an open log."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from host.errors import LogDamaged
from host.feed.feed import Feed
from host.log.sqlite_file import lock_of, wal_of
from host.log.sqlite_log import SqliteLog
from tests.contract.entries import batch, ids
from tests.support.damage import delete, replace

PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "feed.db"


@pytest.fixture
async def log(path: Path) -> AsyncIterator[SqliteLog]:
    log = SqliteLog(path)
    await log.append(batch(100))
    yield log
    await log.close()


def move(path: Path, to: Path) -> None:
    path.rename(to)


def cut_off(path: Path) -> None:
    os.truncate(path, PAGE)


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("spoil", "of", "what"),
    [
        (delete, Path, "deleted"),
        (delete, wal_of, "deleted"),
        (delete, lock_of, "deleted"),
        (replace, Path, "replaced"),
        (replace, wal_of, "replaced"),
        (cut_off, Path, "cut off"),
        (empty, Path, "cut off"),
    ],
)
async def test_change_is_found_and_nothing_more_is_written(
    log: SqliteLog,
    path: Path,
    spoil: Callable[[Path], None],
    of: Callable[[Path], Path],
    what: str,
) -> None:
    await log.verify()
    spoil(of(path))

    with pytest.raises(LogDamaged, match=f"{path}.*{what} while the host runs.*backup"):
        await log.verify()
    with pytest.raises(LogDamaged, match=what):
        await log.append(batch(1, first=101))


async def test_log_that_is_put_back_goes_on(log: SqliteLog, path: Path) -> None:
    move(path, path.with_name("moved"))
    feed = Feed(log)
    await feed.open()
    with pytest.raises(LogDamaged):
        await feed.maintain()
    assert "deleted while the host runs" in (feed.fault or "")

    move(path.with_name("moved"), path)
    await feed.maintain()

    assert feed.fault is None
    assert await log.append(batch(1, first=101)) == [101]


async def test_growth_and_trimming_are_no_change(log: SqliteLog) -> None:
    await log.append(batch(20_000, first=101))
    while await log.trim(10, None):
        await log.verify()
    await log.append(batch(5, first=20_101))
    await log.verify()
    assert len(await ids(log)) == 15
