"""Runs the feed's maintenance from time to time."""

from __future__ import annotations

import asyncio
import logging

from ..errors import LogError
from ..observability.logfmt import Line
from .feed import Feed

logger = logging.getLogger("courtside.feed")

EVERY_S = 1.0


async def maintain(feed: Feed) -> None:
    """Trim the log and save the board, forever. Failures are logged once."""
    is_working = True
    while True:
        try:
            await feed.maintain()
            is_working = True
        except LogError as error:
            if is_working:
                logger.error(Line(maintenance="failing", cause=error))
            is_working = False
        await asyncio.sleep(EVERY_S)
