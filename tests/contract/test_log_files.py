"""Tests of host/log/sqlite_file.py: a damaged or foreign file is refused and not
changed.

Such files are left by a crash, a full disk, or a backup that was copied back.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from host.errors import LogError
from host.log.sqlite_log import SqliteLog
from tests.contract.entries import batch, everything, rows

NOBODY = 65534
PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log with a thousand events."""
    path = tmp_path / "log" / "feed.db"
    anyio.run(_write, path, 1_000)
    return path


async def _write(path: Path, count: int, first: int = 1) -> None:
    log = SqliteLog(path)
    await log.append(batch(count, first=first))
    await log.close()


def _append_and_kill(path: Path, count: int, first: int = 1) -> None:
    """Append to the log at `path` and leave its files as after a kill: all in the
    WAL."""
    copy = path.parent / "living"
    shutil.copytree(path.parent, copy)

    async def write() -> None:
        log = SqliteLog(copy / path.name)
        await log.append(batch(count, first=first))
        for name in (path.name, f"{path.name}-wal"):
            shutil.copy(copy / name, path.parent / name)
        await log.close()

    anyio.run(write)
    shutil.rmtree(copy)
    assert wal_of(path).stat().st_size


def wal_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def content(path: Path) -> dict[str, bytes]:
    """Read the log's files, without the WAL index, which SQLite creates and deletes."""
    files = [path, wal_of(path)]
    return {file.name: file.read_bytes() for file in files if file.exists()}


def refusal_of(path: Path) -> str:
    """Expect that the log cannot be opened and stays unchanged. Returns the error."""
    before = content(path)
    with pytest.raises(LogError) as refusal:
        SqliteLog(path)
    assert content(path) == before
    assert str(refusal.value).startswith(f"{path}: ")
    return str(refusal.value)


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 // PAGE * PAGE)


def tear_second_page(path: Path) -> None:
    os.truncate(path, PAGE + 100)


def overwrite_header(path: Path) -> None:
    path.write_bytes(b"Dear diary" + path.read_bytes()[10:])


def zero_header(path: Path) -> None:
    path.write_bytes(bytes(100) + path.read_bytes()[100:])


def damage_schema(path: Path) -> None:
    path.write_bytes(
        path.read_bytes()[:100] + b"\xff" * PAGE + path.read_bytes()[PAGE:]
    )


def replace_by_a_few_bytes(path: Path) -> None:
    path.write_bytes(b"soup")


@pytest.mark.parametrize(
    "spoil",
    [
        truncate,
        tear_second_page,
        overwrite_header,
        zero_header,
        damage_schema,
        replace_by_a_few_bytes,
    ],
    ids=lambda spoil: spoil.__name__,
)
def test_damaged_file_is_refused(path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(path)

    error = refusal_of(path)

    assert "damaged, or not a log of Courtside" in error
    assert "--data-dir" in error


class TestWal:
    """SQLite does not check whose WAL it is, and would write it over the file."""

    def test_of_another_log_is_refused(self, path: Path, tmp_path: Path) -> None:
        other = tmp_path / "other" / "feed.db"
        anyio.run(_write, other, 2_000)
        _append_and_kill(other, 500, first=2_001)
        shutil.copy(wal_of(other), wal_of(path))

        assert "feed.db-wal belongs to another database" in refusal_of(path)

    def test_of_another_database_is_refused(self, path: Path, tmp_path: Path) -> None:
        db = sqlite3.connect(tmp_path / "recipes.db")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE recipe (name TEXT)")
        db.executemany("INSERT INTO recipe VALUES (?)", [("soup" * 99,)] * 500)
        db.commit()
        shutil.copy(tmp_path / "recipes.db-wal", wal_of(path))
        db.close()

        assert "belongs to another database" in refusal_of(path)

    def test_of_a_newer_copy_of_the_log_is_refused(
        self, path: Path, tmp_path: Path
    ) -> None:
        """This happens when a backup replaces feed.db, and the WAL stays."""
        shutil.copy(path, tmp_path / "copy.db")
        anyio.run(_write, path, 2_000, 1_001)
        _append_and_kill(path, 500, first=3_001)
        shutil.copy(tmp_path / "copy.db", path)

        assert "belongs to another database" in refusal_of(path)

    def test_of_the_log_itself_is_read(self, path: Path) -> None:
        _append_and_kill(path, 500, first=1_001)

        async def kept() -> object:
            log = SqliteLog(path)
            try:
                return await everything(log)
            finally:
                await log.close()

        assert anyio.run(kept) == rows(*batch(1_500))


@contextmanager
def as_unprivileged_user() -> Iterator[None]:
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)


@pytest.fixture
def open_folders(tmp_path: Path) -> None:
    """Let every user reach the log's folder."""
    for folder in (tmp_path, *tmp_path.parents):
        mode = folder.stat().st_mode
        if not mode & 0o005:
            folder.chmod(mode | 0o055)


@pytest.mark.usefixtures("open_folders")
class TestMissingPermission:
    def test_to_read_the_file_is_reported(self, path: Path) -> None:
        path.parent.chmod(0o777)
        path.chmod(0)
        with as_unprivileged_user(), pytest.raises(LogError) as refusal:
            SqliteLog(path)

        assert f"{path}: cannot be opened: [Errno 13] Permission" in str(refusal.value)

    def test_to_write_the_file_is_reported(self, path: Path) -> None:
        path.parent.chmod(0o777)
        path.chmod(0o444)
        with as_unprivileged_user(), pytest.raises(LogError) as refusal:
            SqliteLog(path)

        assert f"{path}: cannot be opened: [Errno 13] Permission" in str(refusal.value)

    def test_to_write_the_folder_is_reported(self, path: Path) -> None:
        path.chmod(0o666)
        path.parent.chmod(0o555)
        (path.parent / "feed.db.lock").unlink()
        with as_unprivileged_user(), pytest.raises(LogError) as refusal:
            SqliteLog(path)

        assert f"{path}: cannot be opened: [Errno 13] Permission" in str(refusal.value)
        assert "feed.db.lock" in str(refusal.value)
