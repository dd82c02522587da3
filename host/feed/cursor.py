"""Cursors as text: `EPOCH-ID` in SSE ids, or a plain id in a query."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..errors import CursorError
from ..log.contract import Bounds


class Start(NamedTuple):
    """Where a reader starts, and why its cursor cannot be continued, if so."""

    cursor: int
    reset: str | None


class Cursor(NamedTuple):
    """A cursor from a reader. Without an epoch it means the current log."""

    epoch: str | None
    id: int


def parse(text: str) -> Cursor:
    """Parse a cursor. Raises CursorError."""
    found = re.fullmatch(r"(?:([0-9a-z]{1,32})-)?([0-9]{1,18})", text, re.ASCII)
    if not found:
        raise CursorError(
            f"{text[:80]!r} is not a cursor: use the id of the last event you have, "
            "for example 4182, or 0 for all stored events"
        )
    return Cursor(found[1], int(found[2]))


def resolve_start(cursor: Cursor, kept: Bounds) -> Start:
    """Return where a reader starts. `0` without an epoch means all stored events."""
    if cursor.epoch not in (None, kept.epoch):
        return Start(kept.last, "the log is not the one this cursor came from")
    if cursor.id > kept.last:
        return Start(kept.last, f"event {cursor.id} is ahead of the log's {kept.last}")
    if cursor == (None, 0):
        return Start(kept.first - 1, None)
    if cursor.id < kept.first - 1:
        return Start(kept.last, f"events up to {kept.first - 1} are no longer kept")
    return Start(cursor.id, None)
