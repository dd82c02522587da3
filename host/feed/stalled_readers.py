"""Disconnects readers that do not read, so that they do not fill the memory.

They can reconnect with their cursors.
"""

from __future__ import annotations

import logging
from collections.abc import Set
from time import monotonic

from ..log.contract import Bounds
from ..observability.logfmt import Line
from .cohort import Reader
from .feed import Feed
from .ring import BLOCK_BYTES

logger = logging.getLogger("courtside.fanout")

# For one send. A reader that gets a block in this time reads 2 kB/s.
MAX_STALLED_S = 60.0
# The server keeps about one block for a reader that does not read.
MAX_STALLED_BYTES = 48 * 1024 * 1024
# Before this, the bytes do not count: on a busy machine, readers may be slow.
STALLED_AFTER_S = 5.0


def cut_stalled(feed: Feed, readers: Set[Reader], kept: Bounds) -> None:
    """Disconnect the readers that are blocked for too long, or too many of them.

    Also those whose next events were deleted from the log. `kept` are its bounds.
    """
    for reader in readers:
        needs_deleted_events = reader.catch_up and reader.cursor + 1 < kept.first
        if (
            needs_deleted_events
            and feed.frames_in_memory(reader.cursor, reader.where) is None
        ):
            _cut(reader, f"events up to {kept.first - 1} are no longer kept")
    blocked = sorted(_find_blocked(readers), reverse=True, key=lambda found: found[0])
    too_many = len(blocked) - MAX_STALLED_BYTES // BLOCK_BYTES
    for place, (blocked_s, reader) in enumerate(blocked):
        if blocked_s >= MAX_STALLED_S:
            _cut(reader, f"it read nothing for {blocked_s:.0f} s")
        elif place < too_many:
            why = f"{len(blocked)} such readers hold over {MAX_STALLED_BYTES:,} bytes"
            _cut(reader, f"{why}, and it read nothing for {blocked_s:.0f} s")


def _find_blocked(readers: Set[Reader]) -> list[tuple[float, Reader]]:
    """Return the readers that are blocked, and for how long."""
    at = monotonic()
    return [
        (at - reader.send_began_at, reader)
        for reader in readers
        if reader.send_began_at is not None
        and at - reader.send_began_at >= STALLED_AFTER_S
        and not reader.is_disconnected
    ]


def _cut(reader: Reader, why: str) -> None:
    logger.warning(Line(reader="cut", cursor=reader.cursor, cause=f"stalled; {why}"))
    reader.disconnect()
