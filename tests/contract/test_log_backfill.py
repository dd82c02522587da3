"""Tests of host/log/wal_checkpoint.py on a log in a file: the WAL is checkpointed
in the background, without loss.
"""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import anyio
import pytest

from host.log.contract import Entry
from host.log.sqlite_log import SqliteLog
from tests.contract.entries import entry, everything, rows

RAW = b'"%b"' % (b"x" * 10_000)
PER_COMMIT = 50


def batch(number: int) -> list[Entry]:
    first = number * PER_COMMIT + 1
    return [entry(n, raw=RAW) for n in range(first, first + PER_COMMIT)]


def wal_restarts(path: Path) -> int:
    """Return the WAL's checkpoint sequence number (SQLite file format, section 4.1)."""
    header = path.with_name(path.name + "-wal").read_bytes()[:32]
    return int.from_bytes(header[12:16], "big")


async def append_until_wal_restarts(log: SqliteLog, path: Path, times: int) -> int:
    """Append until SQLite restarted the WAL `times` times. Returns the batches."""
    with anyio.fail_after(60):
        for number in range(10_000):
            await log.append(batch(number))
            if wal_restarts(path) >= times:
                return number + 1
    raise AssertionError("10,000 batches, and still the same write-ahead log")


async def test_wal_is_reused_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "feed.db"
    log = SqliteLog(path)
    try:
        batches = await append_until_wal_restarts(log, path, 3)

        assert len(await everything(log)) == batches * PER_COMMIT
    finally:
        await log.close()


async def test_wal_of_a_killed_host_is_checkpointed_at_the_next_start(
    tmp_path: Path,
) -> None:
    path, killed = tmp_path / "feed.db", tmp_path / "killed"
    log = SqliteLog(path)
    killed.mkdir()
    try:
        await log.append(batch(0))
        for name in ("feed.db", "feed.db-wal"):
            shutil.copy(tmp_path / name, killed)
    finally:
        await log.close()
    assert (killed / "feed.db-wal").stat().st_size > 0

    log = SqliteLog(killed / "feed.db")
    try:
        assert (killed / "feed.db-wal").stat().st_size == 0
        assert await everything(log) == rows(*batch(0))
    finally:
        await log.close()


async def test_failed_checkpoint_loses_nothing_and_is_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing(sqlite3.Connection):
        left = 3  # At the start, in the background, by the writer.

        def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
            if "wal_checkpoint" in sql and Refusing.left:
                Refusing.left -= 1
                raise sqlite3.OperationalError("disk I/O error")
            return super().execute(sql, *values)  # type: ignore[arg-type]

    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *a, **named: connect(*a, factory=Refusing, **named)
    )
    path = tmp_path / "feed.db"
    log = SqliteLog(path)
    try:
        batches = await append_until_wal_restarts(log, path, 1)

        assert Refusing.left == 0
        assert await everything(log) == rows(
            *(one for number in range(batches) for one in batch(number))
        )
    finally:
        await log.close()
