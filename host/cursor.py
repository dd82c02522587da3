"""Owns the cursor as text: `EPOCH-ID` in SSE ids, or a bare id in a query.

The stream asks it where a reader stands; feed positions themselves are integers.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from host.errors import CursorError
from host.log import Bounds


class Start(NamedTuple):
    """Where a reader begins, and why it cannot have what followed its cursor."""

    cursor: int
    reset: str | None


def start_of(text: str, kept: Bounds) -> Start:
    """Resolves a reader's cursor against what the log keeps.

    `0` asks for all that is kept. Raises CursorError when it is no cursor at all.
    """
    found = re.fullmatch(r"(?:([0-9a-z]{1,32})-)?([0-9]{1,18})", text)
    if not found:
        raise CursorError(
            f"{text[:80]!r} is not a cursor: use the id of the last event you have, "
            "for example 4182, or 0 for all that is kept"
        )
    epoch, cursor = found[1], int(found[2])
    if epoch and epoch != kept.epoch:
        return Start(kept.last, "the log is not the one this cursor came from")
    if cursor > kept.last:
        return Start(kept.last, f"event {cursor} is ahead of the log's {kept.last}")
    if cursor == 0 and not epoch:
        return Start(kept.first - 1, None)
    if cursor < kept.first - 1:
        return Start(kept.last, f"events up to {kept.first - 1} are no longer kept")
    return Start(cursor, None)
