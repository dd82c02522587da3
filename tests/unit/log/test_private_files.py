"""Tests of the modes of the log's files: only their owner can read them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from host.log.sqlite_log import SqliteLog
from tests.contract.entries import batch

FILES = {"feed.db", "feed.db-wal", "feed.db-shm", "feed.db.lock"}


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {file.name: mode(file) for file in folder.iterdir()}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def modes_while_open(path: Path) -> dict[str, int]:
    async def append() -> dict[str, int]:
        log = SqliteLog(path)
        await log.append(batch(3))
        try:
            return modes(path.parent)
        finally:
            await log.close()

    return anyio.run(append)


def test_new_log_is_private(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"

    assert modes_while_open(folder / "feed.db") == dict.fromkeys(FILES, 0o600)
    assert mode(folder) == 0o700


def test_existing_log_becomes_private(tmp_path: Path) -> None:
    folder = tmp_path / ".courtside"
    path = folder / "feed.db"
    modes_while_open(path)
    for file in folder.iterdir():
        file.chmod(0o664)
    folder.chmod(0o755)

    assert modes_while_open(path) == dict.fromkeys(FILES, 0o600)
    assert mode(folder) == 0o700


def test_folder_of_another_name_keeps_its_mode(tmp_path: Path) -> None:
    """`--data-dir .` must not lock others out of a folder with other files."""
    folder = tmp_path / "shared"
    folder.mkdir(mode=0o755)

    assert modes_while_open(folder / "feed.db") == dict.fromkeys(FILES, 0o600)
    assert mode(folder) == 0o755
