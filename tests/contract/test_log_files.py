"""A file that cannot be the log is refused with a reason, and stays as it is.

host/log/sqlite_file.py: what may lie at feed.db after a crash, a full disk or a
copy that was brought back.
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
from host.log.sqlite import SqliteLog
from tests.contract.entries import batch, everything, rows

NOBODY = 65534
PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log with a thousand events."""
    made = tmp_path / "log" / "feed.db"
    anyio.run(_write, made, 1_000)
    return made


async def _write(path: Path, count: int, first: int = 1) -> None:
    log = SqliteLog(path)
    await log.append(batch(count, first=first))
    await log.close()


def _killed(path: Path, count: int, first: int = 1) -> None:
    """Appends to the log at `path` and dies with all of it in the WAL."""
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
    """Of the files that are the log: SQLite makes and drops its index as it likes."""
    files = [path, wal_of(path)]
    return {file.name: file.read_bytes() for file in files if file.exists()}


def refused(path: Path) -> str:
    """Why the log is not opened. It is as it was, then."""
    before = content(path)
    with pytest.raises(LogError) as refusal:
        SqliteLog(path)
    assert content(path) == before
    assert str(refusal.value).startswith(f"{path}: ")
    return str(refusal.value)


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 // PAGE * PAGE)


def torn(path: Path) -> None:
    os.truncate(path, PAGE + 100)


def with_another_header(path: Path) -> None:
    path.write_bytes(b"Dear diary" + path.read_bytes()[10:])


def with_a_header_of_zeros(path: Path) -> None:
    path.write_bytes(bytes(100) + path.read_bytes()[100:])


def with_a_damaged_schema(path: Path) -> None:
    path.write_bytes(
        path.read_bytes()[:100] + b"\xff" * PAGE + path.read_bytes()[PAGE:]
    )


def a_few_bytes(path: Path) -> None:
    path.write_bytes(b"soup")


@pytest.mark.parametrize(
    "spoil",
    [
        *(truncated, torn, with_another_header, with_a_header_of_zeros),
        *(with_a_damaged_schema, a_few_bytes),
    ],
    ids=lambda spoil: spoil.__name__,
)
def test_a_damaged_file_is_refused(path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(path)

    why = refused(path)

    assert "damaged, or not a log of Courtside" in why
    assert "--data-dir" in why


class TestAWalOfAnotherFile:
    """SQLite itself would write it over this one: whose it is, it does not ask."""

    def test_of_a_log_is_refused(self, path: Path, tmp_path: Path) -> None:
        other = tmp_path / "other" / "feed.db"
        anyio.run(_write, other, 2_000)
        _killed(other, 500, first=2_001)
        shutil.copy(wal_of(other), wal_of(path))

        assert "feed.db-wal belongs to another file" in refused(path)

    def test_of_another_programs_database_is_refused(
        self, path: Path, tmp_path: Path
    ) -> None:
        db = sqlite3.connect(tmp_path / "recipes.db")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE recipe (name TEXT)")
        db.executemany("INSERT INTO recipe VALUES (?)", [("soup" * 99,)] * 500)
        db.commit()
        shutil.copy(tmp_path / "recipes.db-wal", wal_of(path))
        db.close()

        assert "belongs to another file" in refused(path)

    def test_of_a_later_day_of_the_log_is_refused(
        self, path: Path, tmp_path: Path
    ) -> None:
        """As when a copy is brought back, and the WAL is forgotten."""
        shutil.copy(path, tmp_path / "copy.db")
        anyio.run(_write, path, 2_000, 1_001)
        _killed(path, 500, first=3_001)
        shutil.copy(tmp_path / "copy.db", path)

        assert "belongs to another file" in refused(path)

    def test_but_its_own_is_taken_up(self, path: Path) -> None:
        _killed(path, 500, first=1_001)

        async def kept() -> object:
            log = SqliteLog(path)
            try:
                return await everything(log)
            finally:
                await log.close()

        assert anyio.run(kept) == rows(*batch(1_500))


@contextmanager
def without_the_rights_of_root() -> Iterator[None]:
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)


@pytest.fixture
def walkable(tmp_path: Path) -> None:
    """For anybody, down to the log."""
    for folder in (tmp_path, *tmp_path.parents):
        mode = folder.stat().st_mode
        if not mode & 0o005:
            folder.chmod(mode | 0o055)


@pytest.mark.usefixtures("walkable")
class TestWithoutTheRights:
    def test_a_file_that_cannot_be_read_is_refused(self, path: Path) -> None:
        path.parent.chmod(0o777)
        path.chmod(0)
        with without_the_rights_of_root(), pytest.raises(LogError) as refusal:
            SqliteLog(path)

        assert f"{path}: cannot be opened: [Errno 13] Permission" in str(refusal.value)

    def test_a_file_that_cannot_be_written_is_refused(self, path: Path) -> None:
        path.parent.chmod(0o777)
        path.chmod(0o444)
        with without_the_rights_of_root(), pytest.raises(LogError) as refusal:
            SqliteLog(path)

        assert f"{path}: cannot be opened: [Errno 13] Permission" in str(refusal.value)

    def test_a_folder_that_cannot_be_written_is_refused(self, path: Path) -> None:
        path.chmod(0o666)
        path.parent.chmod(0o555)
        (path.parent / "feed.db.lock").unlink()
        with without_the_rights_of_root(), pytest.raises(LogError) as refusal:
            SqliteLog(path)

        assert f"{path}: cannot be opened: [Errno 13] Permission" in str(refusal.value)
        assert "feed.db.lock" in str(refusal.value)
