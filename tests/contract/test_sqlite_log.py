"""Tests of host/log/sqlite_log.py beyond the contract: restarts, kill -9, failing
commits and locks.
"""

from __future__ import annotations

import itertools
import re
import sqlite3
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from host.errors import LogError
from host.log.contract import Entry
from host.log.sqlite_log import SqliteLog
from tests.contract.entries import batch, entry, everything, ids, rows
from tests.contract.sqlite_logs import open_log
from tests.support.harness import Process
from tests.support.waiting import wait_until_sync


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "feed.db"


class TestRestart:
    async def test_keeps_all_data(self, path: Path) -> None:
        kept = [entry(1, raw=b"{}"), entry(1, "walter"), entry(2)]
        async with open_log(path) as log:
            await log.append(kept)
            await log.save_checkpoint(2, b"board")
            before = await log.bounds()

        async with open_log(path) as log:
            assert await log.bounds() == before
            assert await everything(log) == rows(*kept)
            assert await log.raw(1) == b"{}"
            assert await log.checkpoint() == (2, b"board")
            assert await log.high_water("carly/t1") == 2

    async def test_keeps_rejecting_duplicates(self, path: Path) -> None:
        async with open_log(path) as log:
            await log.append(batch(2))

        async with open_log(path) as log:
            assert await log.append([*batch(3), entry(1, "walter")]) == [
                None,
                None,
                3,
                4,
            ]

    async def test_continues_the_ids_of_a_trimmed_log(self, path: Path) -> None:
        async with open_log(path) as log:
            await log.append(batch(3))
            await log.trim(0, None)

        async with open_log(path) as log:
            assert (await log.bounds())[1:] == (4, 3)
            assert await log.append([entry(4)]) == [4]

    async def test_keeps_sources_apart(self, path: Path) -> None:
        async with open_log(path) as log:
            await log.append([entry(1, "carly/t1"), entry(1, "walter/t2")])

        async with open_log(path) as log:
            again = [entry(2, "walter/t2"), entry(1, "logan/t3"), entry(2, "carly/t1")]
            await log.append(again)
            assert (await everything(log))[2:] == rows(*again, first=3)


class Failing(sqlite3.Connection):
    """A connection whose `due`-th statement from now fails, before or after it ran."""

    due = 0
    moment = "before"

    def execute(self, *statement: Any) -> sqlite3.Cursor:
        return self._run(super().execute, *statement)

    def executemany(self, *statement: Any) -> sqlite3.Cursor:
        return self._run(super().executemany, *statement)

    def _run(self, method: Any, *statement: Any) -> sqlite3.Cursor:
        Failing.due -= 1
        fails = Failing.due == 0
        if fails and Failing.moment == "before":
            raise sqlite3.OperationalError("disk I/O error")
        cursor: sqlite3.Cursor = method(*statement)
        if fails:
            raise sqlite3.OperationalError("disk I/O error")
        return cursor


@pytest.fixture(params=["before", "after"])
def failing(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[type[Failing]]:
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *a, **named: connect(*a, factory=Failing, **named)
    )
    Failing.moment = request.param
    yield Failing
    Failing.due = 0


class TestFailedAppend:
    """Each statement of an append fails in turn, from BEGIN to COMMIT."""

    LOST: ClassVar[list[Entry]] = [
        *batch(2, first=2),
        entry(1, "walter/t2", raw=b"{}"),
    ]

    async def broken_logs(
        self, folder: Path, failing: type[Failing]
    ) -> AsyncIterator[tuple[Path, SqliteLog]]:
        for statement in itertools.count(1):
            path = folder / f"{statement}.db"
            async with open_log(path) as log:
                await log.append(batch(1))
                failing.due = statement
                try:
                    await log.append(self.LOST)
                except LogError as error:
                    assert str(error) == f"{path}: disk I/O error"
                    yield path, log
                    continue
                assert statement > 4, "BEGIN, two inserts and COMMIT at least"
                return

    async def test_is_atomic(self, tmp_path: Path, failing: type[Failing]) -> None:
        async for _, log in self.broken_logs(tmp_path, failing):
            assert await ids(log) in ([1], [1, 2, 3, 4])

    async def test_can_be_repeated_without_loss_or_duplicates(
        self, tmp_path: Path, failing: type[Failing]
    ) -> None:
        async for path, log in self.broken_logs(tmp_path, failing):
            # Entries that arrived meanwhile join the repeated batch.
            await log.append([*self.LOST, entry(4)])

            kept = rows(*batch(1), *self.LOST, entry(4))
            assert await everything(log) == kept
            assert await log.raw(4) == b"{}"
            assert (await log.bounds())[1:] == (1, 5)
            assert await log.high_water("carly/t1") == 4
            assert await log.append([entry(5)]) == [6]
            await log.close()
            async with open_log(path) as again:
                assert (await everything(again))[:5] == kept
                assert await again.append([entry(5), entry(6)]) == [None, 7]


async def test_failed_trim_can_be_repeated(
    tmp_path: Path, failing: type[Failing]
) -> None:
    for statement in itertools.count(1):
        async with open_log(tmp_path / f"{statement}.db") as log:
            await log.append(batch(5))
            failing.due = statement
            try:
                await log.trim(2, None)
            except LogError:
                while await log.trim(2, None):
                    pass
                assert await ids(log) == [4, 5]
                assert (await log.bounds())[1:] == (4, 5)
                continue
            assert statement > 4, "BEGIN, two deletes and COMMIT at least"
            return


OTHER_PROCESS = """
import asyncio, sys
from pathlib import Path
from host.log.sqlite_log import SqliteLog
from tests.contract.entries import batch

async def main():
    log = SqliteLog(Path(sys.argv[1]))
    print("opened", flush=True)
    first = 1
    while True:
        ids = await log.append(batch(7, first=first))
        print("appended", ids[-1], flush=True)
        first += 7

asyncio.run(main())
"""


def appending_process(path: Path, folder: Path) -> Process:
    """Build a process that appends to the log at `path` and prints each last id."""
    argv = [sys.executable, "-c", OTHER_PROCESS, str(path)]
    return Process("other", argv, folder=folder, env={"PYTHONPATH": "."})


class TestTwoProcesses:
    async def test_cannot_open_the_same_log(self, path: Path, tmp_path: Path) -> None:
        async with open_log(path) as log:
            await log.append(batch(1))
            second = appending_process(path, tmp_path)
            second.start()

            assert second.wait_end(60.0) == 1
            output = second.output()
            assert f"{path}: another Courtside has this log open" in output
            assert "--data-dir" in output
            assert "appended" not in output
            assert await log.append(batch(1, first=2)) == [2], "the first one goes on"

    async def test_can_open_the_log_one_after_a_kill_of_the_other(
        self, path: Path, tmp_path: Path
    ) -> None:
        first = appending_process(path, tmp_path)
        first.start()
        wait_until_sync(lambda: "opened" in first.output(), "the log to be open", 60.0)
        with pytest.raises(LogError, match=f"{path}: another Courtside"):
            SqliteLog(path)
        first.kill()

        async with open_log(path) as log:
            assert (await log.bounds()).first == 1


def wait_appended(writer: Process, count: int) -> None:
    wait_until_sync(
        lambda: writer.output().count("appended") >= count, f"{count} appends", 60.0
    )


async def test_kill_9_loses_no_acknowledged_event(path: Path, tmp_path: Path) -> None:
    writer = appending_process(path, tmp_path)
    for acknowledged in (20, 60, 200):
        writer.start()
        wait_appended(writer, acknowledged)
        writer.kill()

        last = re.findall(r"appended (\d+)\n", writer.output())[-1]
        async with open_log(path) as log:
            kept = await ids(log)
            assert kept == list(range(1, len(kept) + 1))
            assert len(kept) >= int(last)
            assert len(kept) % 7 == 0, "a batch was torn"
            assert (await log.bounds()).last == len(kept)
