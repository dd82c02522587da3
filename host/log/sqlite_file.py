"""The file of the SQLite log: its lock, its checks, its transactions."""

from __future__ import annotations

import fcntl
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import IO, Any

from ..errors import LogDamaged, LogError, LogRefused
from .private_files import opener, restrict_file


class Insert:
    """Inserts many rows with one statement.

    After each statement the thread waits for the GIL, which the event loop may hold.
    """

    MAX_ROWS = 128  # With seven columns: older SQLite versions allow 999 values.

    def __init__(self, table: str, columns: str, then: str = "") -> None:
        self._columns = columns.count(",") + 1
        row = f"({', '.join('?' * self._columns)})"
        into = f"INSERT INTO {table} ({columns}) VALUES"
        self._statements = {
            count: f"{into} {', '.join([row] * count)} {then}"
            for count in (1, 2, 4, 8, 16, 32, 64, self.MAX_ROWS)
        }

    def run(self, db: sqlite3.Connection, values: list[Any]) -> None:
        """Insert rows. `values` has the values of all rows, one row after the other."""
        done = 0
        while left := (len(values) - done) // self._columns:
            count = min(self.MAX_ROWS, 1 << left.bit_length() - 1)
            end = done + count * self._columns
            db.execute(self._statements[count], values[done:end])
            done = end


class transaction:
    """BEGIN … COMMIT, or ROLLBACK if the body or the commit fails."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> sqlite3.Connection:
        self._end()  # An earlier failure may have left a transaction open.
        self._db.execute("BEGIN IMMEDIATE")
        return self._db

    def __exit__(self, failed: object, *_: object) -> None:
        try:
            if failed is None:
                self._db.execute("COMMIT")
        finally:
            self._end()

    def _end(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")


# A value or row that SQLite never takes: too big, out of range or not encodable.
REFUSALS = (
    sqlite3.DataError,
    sqlite3.InterfaceError,
    OverflowError,
    UnicodeEncodeError,
)
# Errors of the disk are subclasses, so only this exact class means damage. No entry is
# against a constraint, so a failed one means that the file contradicts itself.
DAMAGES = (sqlite3.DatabaseError, sqlite3.IntegrityError, UnicodeDecodeError)
# The message of SQLite can quote damaged text, which is no UTF-8.
STORE_ERRORS = (sqlite3.Error, OSError, UnicodeDecodeError, *REFUSALS)


def to_log_error(path: Path, error: Exception, doing: str = "") -> LogError:
    """Convert an error of the store: LogDamaged, LogRefused, or one that may pass."""
    if isinstance(error, REFUSALS):
        return LogRefused(f"{path}: {doing}{error}")
    if type(error) in DAMAGES:
        return LogDamaged(
            f"{path}: {doing}{error}: the file is damaged, or not a log of Courtside; "
            "stop the host, then restore a backup, run courtside repair, or choose "
            "another --data-dir"
        )
    return LogError(f"{path}: {doing}{error}")


def wal_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def lock_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


def restrict(path: Path) -> None:
    """Take the log's files away from other users. SQLite copies the mode of the log."""
    for file in (path, wal_of(path), path.with_name(f"{path.name}-shm"), lock_of(path)):
        restrict_file(file)


def lock(path: Path) -> IO[str]:
    """Lock the log until the file is closed. The kernel unlocks it if we die."""
    held = open(lock_of(path), "w", opener=opener)  # noqa: SIM115 - open until we end
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        held.close()
        raise LogError(
            "another Courtside has this log open; stop it, or choose another --data-dir"
        ) from None
    return held


def connect(path: Path) -> sqlite3.Connection:
    # One thread uses each connection, but another thread opens it.
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    # Damaged text fails its checksum, not the read of its row.
    db.text_factory = _decode
    return db


def _decode(text: bytes) -> str:
    return text.decode(errors="replace")


def check(path: Path) -> bool:
    """Return whether the log exists. Refuse an unusable file, and a WAL of another one.

    SQLite does not check to which file a WAL belongs. If a WAL was left beside a
    restored backup, SQLite would write it over the backup. Raises LogError, OSError,
    sqlite3.Error.
    """
    wal = wal_of(path)
    has_wal = wal.exists() and wal.stat().st_size > 0
    if not path.exists():
        if has_wal:
            raise LogError(
                f"the file is missing, but its {wal.name} is here: restore a backup of "
                f"the file, or move {wal.name} away to start a new log"
            )
        return False
    if not path.stat().st_size:
        raise LogError(
            "the file is empty, so its events are lost: restore a backup, or remove "
            "the file to start a new log"
        )
    with path.open("rb+"):  # SQLite would not say why it is not writable.
        pass
    if has_wal:
        _check_wal(path, wal)
    return True


def _check_wal(path: Path, wal: Path) -> None:
    # Both connections are read-only, also when they are closed.
    with (
        closing(_reading(path, "immutable=1")) as alone,
        closing(_reading(path, "mode=ro")) as together,
    ):
        if not _is_continuation(alone, together):
            raise LogError(
                f"{wal.name} belongs to another database and would overwrite this "
                f"one: move {wal.name} away, or restore its database"
            )


def _reading(path: Path, how: str) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True)
    db.text_factory = _decode
    return db


def _is_continuation(alone: sqlite3.Connection, together: sqlite3.Connection) -> bool:
    """Return whether the file with its WAL continues the file without it."""
    bounds = "SELECT epoch, first FROM bounds"
    last = "SELECT id, body FROM event ORDER BY id DESC LIMIT 1"
    try:
        (epoch, _), event = (alone.execute(sql).fetchone() for sql in (bounds, last))
    except (sqlite3.Error, UnicodeDecodeError, TypeError):
        return True  # A new file, or the host was killed while it copied the WAL.
    try:
        now, first = together.execute(bounds).fetchone()
        if now != epoch or event is None or event[0] < first:
            return bool(now == epoch)
        follow = "SELECT id, body FROM event WHERE id >= ? ORDER BY id LIMIT 2"
        same, *more = together.execute(follow, event[:1]).fetchall()
    except (sqlite3.Error, TypeError, ValueError):
        return False
    return same == event and all(row[0] == event[0] + 1 for row in more)
