"""Finds out that the log's files were deleted, replaced or cut off while they are open.

SQLite does not notice: it would go on in a file that no later start can see.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from ..errors import LogDamaged
from .sqlite_file import lock_of, wal_of

ADVICE = "stop the host, then put the file back or restore a backup; until then, "
ADVICE += "no new events are written"


class _Identity(NamedTuple):
    device: int
    inode: int


class FileWatch:
    """Create it when the log is open. `check` takes some microseconds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identities: dict[Path, _Identity] = {}
        self._size = 0
        self.check()

    def check(self) -> None:
        """Raises LogDamaged if a file is not the one that was opened.

        The file never gets smaller: SQLite reuses the space of deleted events.
        """
        size = self._look(self._path).st_size
        if size < self._size:
            raise LogDamaged(
                f"{self._path} was cut off while the host runs: it has {size:,} bytes, "
                f"and had {self._size:,}: {ADVICE}"
            )
        self._size = size
        for path in (wal_of(self._path), lock_of(self._path)):
            self._look(path)

    def _look(self, path: Path) -> os.stat_result:
        try:
            found = path.stat()
        except FileNotFoundError:
            raise LogDamaged(
                f"{path} was deleted while the host runs: {ADVICE}"
            ) from None
        identity = _Identity(found.st_dev, found.st_ino)
        if identity != self._identities.setdefault(path, identity):
            raise LogDamaged(f"{path} was replaced while the host runs: {ADVICE}")
        return found
