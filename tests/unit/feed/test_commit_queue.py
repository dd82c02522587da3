"""Tests how many events and bytes one commit of the feed has."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest
from msgspec.structs import replace

from host.feed.commit_queue import MAX_AGENT_BYTES, MAX_BATCH, MAX_BATCH_BYTES
from host.feed.feed import Feed
from host.log.contract import Entry
from host.log.memory_log import MemoryLog
from tests.contract.entries import batch, entry

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


def large(count: int, size: int, agent: str = "carly") -> list[Entry]:
    """Return entries whose events and A2A updates together have `size` bytes each."""
    raw = b"x" * size
    return [
        replace(one, raw=raw[len(one.body) :], size=size)
        for one in (entry(n, f"{agent}/t1") for n in range(1, count + 1))
    ]


@pytest.mark.parametrize("more", [0, 1])
async def test_next_commit_takes_the_events_over_the_limit(more: int) -> None:
    entries = batch(MAX_BATCH + more)

    commits = await commits_of(*([entry] for entry in entries))

    assert commits == [MAX_BATCH, *[1] * more]


@pytest.mark.parametrize("more", [0, 1])
async def test_next_commit_takes_the_bytes_over_the_limit(more: int) -> None:
    updates = [large(1, MAX_BATCH_BYTES // 4, f"a{n}") for n in range(4 + more)]

    commits = await commits_of(*updates)

    assert commits == [4, *[1] * more]


async def test_one_update_over_the_limit_is_one_commit() -> None:
    entries = large(6, MAX_BATCH_BYTES // 4)

    assert await commits_of(entries[:5], entries[5:]) == [5, 1]


@pytest.mark.parametrize("more", [0, 1])
async def test_next_commit_takes_the_bytes_over_the_limit_of_an_agent(
    more: int,
) -> None:
    entries = large(4 + more, MAX_AGENT_BYTES // 4)
    small = large(2, 1, "walter")

    commits = await commits_of(*([one] for one in (*entries, *small)))

    assert commits == [4 + len(small), *[1] * more]


async def test_entries_of_an_agent_stay_in_order_over_commits() -> None:
    first, second = large(2, MAX_AGENT_BYTES)
    small = large(4, 1)[2:]
    log = CountingLog()
    feed = Feed(log)
    await feed.open()
    for one in (first, second, *small):
        feed.submit([one])
    feed.close()
    await feed.write()

    rows = await log.read(0, 10)
    assert [row.version for row in rows] == [1, 2, 3, 4]
    assert log.commits == [1, 1, 2]
