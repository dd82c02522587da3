"""Tests of host/log/sqlite_file.py: a file that is not a log of this version is refused
and not changed.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from host.errors import LogError
from host.log.sqlite_file import wal_of
from host.log.sqlite_log import SqliteLog
from host.log.sqlite_schema import SCHEMA_VERSION


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "feed.db"


def write_foreign_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE recipe (name TEXT)")
        db.execute("INSERT INTO recipe VALUES ('soup')")
        db.commit()


def write_newer_log(path: Path) -> None:
    anyio.run(SqliteLog(path).close)
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")


class TestFile:
    def test_of_another_program_is_refused_and_unchanged(self, path: Path) -> None:
        write_foreign_database(path)
        before = path.read_bytes()

        with pytest.raises(LogError) as refused:
            SqliteLog(path)

        assert str(refused.value).startswith(f"{path}: ")
        assert "belongs to another program" in str(refused.value)
        assert "--data-dir" in str(refused.value)
        assert path.read_bytes() == before

    def test_of_a_newer_courtside_is_refused_and_unchanged(self, path: Path) -> None:
        write_newer_log(path)
        before = path.read_bytes()

        with pytest.raises(LogError) as refused:
            SqliteLog(path)

        assert str(refused.value).startswith(f"{path}: ")
        assert f"format {SCHEMA_VERSION + 1}" in str(refused.value)
        assert "update" in str(refused.value)
        assert path.read_bytes() == before

    def test_that_is_no_database_is_refused_and_unchanged(self, path: Path) -> None:
        path.write_text("Dear diary, " * 100)

        with pytest.raises(LogError, match=f"{path}: .*not a database"):
            SqliteLog(path)

        assert path.read_text() == "Dear diary, " * 100

    def test_can_be_replaced_after_a_refusal(self, path: Path) -> None:
        write_foreign_database(path)
        with pytest.raises(LogError):
            SqliteLog(path)
        path.unlink()

        anyio.run(SqliteLog(path).close)


def test_error_names_a_folder_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "feed.db"

    with pytest.raises(LogError, match=f"{path}: cannot be opened"):
        SqliteLog(path)


def test_empty_file_is_refused_and_unchanged(path: Path) -> None:
    path.touch()

    with pytest.raises(LogError, match=f"{path}: the file is empty.*restore a backup"):
        SqliteLog(path)

    assert path.stat().st_size == 0


def test_missing_file_beside_its_wal_is_refused(path: Path) -> None:
    wal_of(path).write_bytes(b"committed events")

    with pytest.raises(LogError, match=f"{path}: the file is missing, but its feed"):
        SqliteLog(path)

    assert not path.exists()


def test_creation_that_was_killed_is_repeated(path: Path) -> None:
    path.with_name("feed.db.new").write_bytes(b"half a fi")

    anyio.run(SqliteLog(path).close)

    assert [file.name for file in sorted(path.parent.iterdir())] == [
        "feed.db",
        "feed.db.lock",
    ]
