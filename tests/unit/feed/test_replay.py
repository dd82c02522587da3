"""Tests of a reader that is behind the ring: it reads the log and misses no event."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence

import anyio

from host.feed.feed import Feed
from host.feed.ring import RING_BYTES
from host.log.contract import Entry, Row
from host.log.memory_log import MemoryLog
from host.model.event import MessageEvent
from host.model.filter import ALL, Filter

SIZE = 1_000_000
RING_FULL = RING_BYTES // SIZE + 1


class SlowLog(MemoryLog):
    """Calls `meanwhile` once, after it read the rows and before it returns them."""

    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def read(self, after: int, limit: int, where: Filter = ALL) -> list[Row]:
        rows = await super().read(after, limit, where)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            await meanwhile()
        return rows


def large(numbers: range) -> Sequence[Entry]:
    event = MessageEvent(
        agent="carly",
        context_id=None,
        message_id=None,
        message="x" * SIZE,
        received_at="2026-11-22T12:00:00.124Z",
    )
    return [Entry.of("carly", number, event) for number in numbers]


async def test_reader_of_the_log_misses_nothing_while_the_ring_moves_on() -> None:
    log = SlowLog()
    feed = Feed(log)
    await feed.open()

    async def fill_ring_again() -> None:
        await feed.append(large(range(RING_FULL + 1, 2 * RING_FULL + 1)))

    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        await feed.append(large(range(1, RING_FULL + 1)))
        log.meanwhile = fill_ring_again
        cursor, ids = 0, []
        while cursor < feed.head:
            piece = feed.frames_in_memory(cursor) or await feed.frames_from_log(cursor)
            ids += [
                int(found)
                for found in re.findall(rb"^id: \w+-(\d+)$", piece.data, re.M)
            ]
            cursor = piece.cursor
        feed.close()
    assert ids == list(range(1, 2 * RING_FULL + 1))
