"""Drops the oldest events of the SQLite log. The file reuses their space."""

from __future__ import annotations

import sqlite3
import time

from .contract import TRIM_STEP, count_excess

ROW_BYTES = 64  # Of a row and its index entry, beside the event's own bytes.
SIZES = """
SELECT length(body) + ifnull(length(raw), 0) + ? FROM event
WHERE id >= ? ORDER BY id LIMIT ?
"""
# Of tasks and contexts that have no events any more.
DELETE_PLACES = """
DELETE FROM place WHERE id IN (SELECT place FROM event WHERE id < :first)
AND NOT EXISTS (SELECT 1 FROM event WHERE event.place = place.id AND id >= :first)
"""


def used_bytes(db: sqlite3.Connection) -> int:
    """Return the bytes in use in the file, without free pages."""
    pages, free, size = (
        int(db.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def find_first(
    db: sqlite3.Connection,
    first: int,
    last: int,
    *,
    keep_count: int,
    max_age_s: float | None,
    max_bytes: int | None,
) -> int:
    """Return the first id to keep now of the ids `first` to `last`."""
    kept = max(first, last - keep_count + 1)
    if max_age_s is not None:
        young = db.execute(
            "SELECT id FROM event WHERE at > ? ORDER BY id LIMIT 1",
            (time.time() - max_age_s,),
        ).fetchone()
        kept = max(kept, young[0] if young else last + 1)
    if max_bytes is not None and (excess := used_bytes(db) - max_bytes) > 0:
        sizes = (size for (size,) in db.execute(SIZES, (ROW_BYTES, first, TRIM_STEP)))
        kept = max(kept, first + count_excess(sizes, excess))
    return min(kept, first + TRIM_STEP)


def delete_before(db: sqlite3.Connection, first: int, last: int) -> bool:
    """Delete the events before `first`. Return whether places were deleted too."""
    places = db.execute(DELETE_PLACES, {"first": first}).rowcount
    db.execute("DELETE FROM event WHERE id < ?", (first,))
    # Only here: an append need not repeat what the events contain.
    db.execute("UPDATE bounds SET first = ?, last = ?", (first, last))
    return places > 0
