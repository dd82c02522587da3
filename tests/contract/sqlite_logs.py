"""Opens a SQLite log for a test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from host.log.sqlite_log import SqliteLog


@asynccontextmanager
async def open_log(path: Path) -> AsyncIterator[SqliteLog]:
    log = SqliteLog(path)
    try:
        yield log
    finally:
        await log.close()
