"""Owns the way from the write-ahead log into the database file, beside the writer.

sqlite.py says how much it has committed. SQLite itself would copy that within some
commit, and every event behind it would wait.
"""

from __future__ import annotations

import logging
import sqlite3
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from ..observability.logfmt import Line
from .sqlite_file import connect

logger = logging.getLogger("courtside.log")

BEGIN_BYTES = 2 * 1024 * 1024  # Of events; in the file they take some 1.5 times that.
COPY = "PRAGMA wal_checkpoint(PASSIVE)"
EMPTY = "PRAGMA wal_checkpoint(TRUNCATE)"


class WalCheckpointer:
    """`committed` belongs to the writer's thread, on whose connection it ends."""

    def __init__(self, path: Path, writer: sqlite3.Connection) -> None:
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        self._writer = writer
        self._own = connect(path)
        self._thread = ThreadPoolExecutor(1, "log-backfill")
        self._copying: Future[None] | None = None
        self._bytes = 0
        # What was left by one that was killed, or else it grows from start to start.
        self._copy(writer, EMPTY)

    def note_commit(self, size: int) -> None:
        """Begins to copy when there is enough, and ends what was begun.

        What was committed meanwhile is little: the writer copies it itself, so that
        the write-ahead log is used again from its start and does not grow.
        """
        self._bytes += size
        if self._copying is None and self._bytes >= BEGIN_BYTES:
            self._copying = self._thread.submit(self._copy, self._own)
        elif self._copying and self._copying.done():
            self._copy(self._writer)
            self._copying = None
            self._bytes = 0

    def _copy(self, db: sqlite3.Connection, how: str = COPY) -> None:
        """Failing loses nothing: the events stay where they are, and readable."""
        try:
            db.execute(how).fetchone()
        except sqlite3.Error as error:
            logger.warning(Line(log="not copied", cause=error))

    def close(self) -> None:
        self._thread.shutdown()
        self._own.close()
