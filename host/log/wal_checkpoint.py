"""Copies the write-ahead log into the database file, in its own thread.

SQLite would copy it during a commit, and all waiting events would be delayed.
"""

from __future__ import annotations

import logging
import sqlite3
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from ..observability.logfmt import Line
from .sqlite_file import connect

logger = logging.getLogger("courtside.log")

BEGIN_BYTES = 2 * 1024 * 1024  # Events take about 1.5 times as much in the file.
COPY = "PRAGMA wal_checkpoint(PASSIVE)"
EMPTY = "PRAGMA wal_checkpoint(TRUNCATE)"


class WalCheckpointer:
    """Call `note_commit` in the writer's thread. It finishes a copy there."""

    def __init__(self, path: Path, writer: sqlite3.Connection) -> None:
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        self._writer = writer
        self._own = connect(path)
        self._thread = ThreadPoolExecutor(1, "log-backfill")
        self._copying: Future[None] | None = None
        self._bytes = 0
        # A killed host leaves its WAL. Without this it would grow with each start.
        self._copy(writer, EMPTY)

    def note_commit(self, size: int) -> None:
        """Start a copy when enough was committed, or finish a running one.

        The writer copies the small rest itself. SQLite then reuses the WAL from its
        beginning, so it does not grow.
        """
        self._bytes += size
        if self._copying is None and self._bytes >= BEGIN_BYTES:
            self._copying = self._thread.submit(self._copy, self._own)
        elif self._copying and self._copying.done():
            self._copy(self._writer)
            self._copying = None
            self._bytes = 0

    def _copy(self, db: sqlite3.Connection, how: str = COPY) -> None:
        """Copy. If it fails, nothing is lost: the events stay readable in the WAL."""
        try:
            db.execute(how).fetchone()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            logger.warning(Line(log="not copied", cause=error))

    def close(self) -> None:
        self._thread.shutdown()
        self._own.close()
