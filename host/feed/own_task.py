"""Writes to a reader in its own task, where a `send` may block."""

from __future__ import annotations

import asyncio
from collections.abc import Set
from time import monotonic

from .cohort import Reader
from .feed import Feed
from .ring import BLOCK_BYTES


async def send_next(feed: Feed, reader: Reader, readers: Set[Reader]) -> None:
    """Send the next events, from memory or the log, while the reader is in `readers`.

    Raises CursorExpired and LogError.
    """
    frames = feed.frames_in_memory(reader.cursor, reader.where)
    if frames is None:
        frames = await feed.frames_from_log(reader.cursor, reader.where)
    reader.cursor = frames.cursor
    # uvicorn copies the bytes that it cannot write at once, so split large events.
    for start in range(0, len(frames.data), BLOCK_BYTES):
        if reader not in readers:
            return
        await send_body(reader, frames.data[start : start + BLOCK_BYTES])


async def send_opening(reader: Reader, readers: Set[Reader]) -> None:
    """Send the pieces of the reader's opening, while it is in `readers`."""
    for piece in reader.opening or ():
        if reader not in readers:
            return
        await send_body(reader, piece)
        await asyncio.sleep(0)  # Many readers may join at once.
    reader.opening = None


async def send_body(reader: Reader, body: bytes) -> None:
    reader.send_began_at = monotonic()
    await reader.send({"type": "http.response.body", "body": body, "more_body": True})
    reader.send_began_at = None
