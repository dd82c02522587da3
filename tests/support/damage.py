"""Damages the rows of a log file that no host has open, and moves an open file."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

LAST = "(SELECT max(id) FROM event)"


def flip_bit(
    path: Path, table: str, column: str, where: str = "TRUE", at: int = 20
) -> None:
    """Flip a bit in a value: in a byte of a blob or text, or the lowest of a number."""
    with closing(sqlite3.connect(path)) as db:
        key = "name" if table == "source" else "rowid"
        row = f"SELECT {key}, {column} FROM {table} WHERE {where} LIMIT 1"  # noqa: S608
        name, value = db.execute(row).fetchone()
        change = f"UPDATE {table} SET {column} = ? WHERE {key} = ?"  # noqa: S608
        db.execute(change, (_flip(value, at), name))
        db.commit()


def _flip(value: bytes | str | int, at: int) -> bytes | str | int:
    if isinstance(value, int):
        return value ^ 1
    if isinstance(value, str):
        return value[:-1] + chr(ord(value[-1]) ^ 1)
    return value[:at] + bytes([value[at] ^ 4]) + value[at + 1 :]


def delete_events(path: Path, where: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"DELETE FROM event WHERE {where}")  # noqa: S608
        db.commit()


def delete(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    """Put a copy in the place of the file, as `cp backup.db feed.db` after a `rm`."""
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").rename(path)
