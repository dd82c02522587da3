"""Tests how many events and bytes one commit of the feed has."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest
from msgspec.structs import replace

from host.feed.commit_queue import MAX_BATCH, MAX_BATCH_BYTES
from host.feed.feed import Feed
from host.log.contract import Entry
from host.log.memory_log import MemoryLog
from tests.contract.entries import batch

DEADLINE_S = 30


class CountingLog(MemoryLog):
    def __init__(self) -> None:
        super().__init__()
        self.commits: list[int] = []

    async def append(self, entries: Sequence[Entry]) -> list[int | None]:
        self.commits.append(len(entries))
        return await super().append(entries)


async def commits_of(*updates: Sequence[Entry]) -> list[int]:
    """Write updates that all wait at once. Return the events of each commit."""
    log = CountingLog()
    feed = Feed(log)
    await feed.open()
    for entries in updates:
        feed.submit(entries)
    feed.close()
    with anyio.fail_after(DEADLINE_S):
        await feed.write()
    return log.commits


def large(count: int, size: int) -> list[Entry]:
    """Return entries whose events and A2A updates together have `size` bytes each."""
    raw = b"x" * size
    return [
        replace(entry, raw=raw[len(entry.body) :], size=size) for entry in batch(count)
    ]


@pytest.mark.parametrize("more", [0, 1])
async def test_next_commit_takes_the_events_over_the_limit(more: int) -> None:
    entries = batch(MAX_BATCH + more)

    commits = await commits_of(*([entry] for entry in entries))

    assert commits == [MAX_BATCH, *[1] * more]


@pytest.mark.parametrize("more", [0, 1])
async def test_next_commit_takes_the_bytes_over_the_limit(more: int) -> None:
    entries = large(4 + more, MAX_BATCH_BYTES // 4)

    commits = await commits_of(*([entry] for entry in entries))

    assert commits == [4, *[1] * more]


async def test_one_update_over_the_limit_is_one_commit() -> None:
    entries = large(6, MAX_BATCH_BYTES // 4)

    assert await commits_of(entries[:5], entries[5:]) == [5, 1]
