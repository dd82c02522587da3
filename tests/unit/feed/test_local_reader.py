"""Tests of host/feed/local_reader.py: each matching event once, in order, first
from the log, then live.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.errors import CursorExpired
from host.feed import local_reader
from host.feed.feed import Feed
from host.feed.local_reader import MAX_ROWS, watch
from host.log.contract import Row
from host.log.memory_log import MemoryLog
from host.model.filter import ALL, Filter
from tests.contract.entries import entry

ONE = Filter(task=frozenset(["t1"]))


@asynccontextmanager
async def running_feed(log: MemoryLog | None = None) -> AsyncIterator[Feed]:
    feed = Feed(log or MemoryLog())
    await feed.open()
    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        yield feed
        feed.close()


class Task:
    """Appends numbered events of one task."""

    def __init__(self, feed: Feed, task_id: str = "t1") -> None:
        self.feed = feed
        self.source = f"carly/{task_id}"
        self.appended = 0

    async def append(self, count: int = 1) -> None:
        numbers = range(self.appended + 1, self.appended + count + 1)
        self.appended += count
        await self.feed.append([entry(number, self.source) for number in numbers])


async def versions(feed: Feed, where: Filter, count: int, after: int = 0) -> list[int]:
    seen: list[int] = []
    with anyio.fail_after(60):
        async with aclosing(watch(feed, where, after)) as rows:
            async for row in rows:
                seen.append(row.version)
                if len(seen) == count:
                    break
    return seen


async def test_watch_reads_the_log_and_then_live_events() -> None:
    async with running_feed() as feed, anyio.create_task_group() as group:
        one, other = Task(feed), Task(feed, "t2")
        await one.append(3)
        await other.append(3)
        seen: list[int] = []

        async def read() -> None:
            seen.extend(await versions(feed, ONE, 5))

        group.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        await other.append()
        await one.append(2)
    assert seen == [1, 2, 3, 4, 5]


async def test_watch_starts_after_the_given_id() -> None:
    async with running_feed() as feed:
        await Task(feed).append(5)
        assert await versions(feed, ALL, 3, after=2) == [3, 4, 5]


class MovingLog(MemoryLog):
    """Appends more events of `task` during each read. `bursts` has their counts."""

    task: Task

    def __init__(self, bursts: list[int]) -> None:
        super().__init__()
        self._bursts = [*bursts]

    async def read(self, after: int, limit: int, where: Filter = ALL) -> list[Row]:
        rows = await super().read(after, limit, where)
        if after and self._bursts:
            await self.task.append(self._bursts.pop())
        return rows


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 2_500),
    st.lists(st.sampled_from([1, MAX_ROWS - 1, MAX_ROWS, MAX_ROWS + 1]), max_size=4),
)
def test_watch_has_no_loss_or_repeat_between_log_and_live(
    before: int, bursts: list[int]
) -> None:
    async def check() -> None:
        log = MovingLog(bursts)
        seen: list[int] = []
        async with running_feed(log) as feed, anyio.create_task_group() as group:
            log.task = Task(feed)
            await Task(feed, "t2").append(2)
            await log.task.append(before)

            async def read() -> None:
                async with aclosing(watch(feed, ONE, 1)) as rows:
                    async for row in rows:
                        seen.append(row.version)

            group.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            await log.task.append()
            await anyio.wait_all_tasks_blocked()
            feed.close()
        assert seen == [*range(1, log.task.appended + 1)]

    anyio.run(check)


async def test_slow_watcher_of_large_events_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    size = len(entry(1).body)
    monkeypatch.setattr(local_reader, "MAX_BYTES", 10 * size)
    async with running_feed() as feed:
        one = Task(feed)
        async with aclosing(watch(feed, ONE, 0)) as slow:
            await one.append()
            first = await anext(slow)
            for count in (5, 20, 3):
                await one.append(count)
            rest = [(await anext(slow)).version for _ in range(28)]
    assert [first.version, *rest] == [*range(1, 30)]


async def test_slow_watcher_delays_no_other_and_loses_nothing() -> None:
    bursts, size = 5, MAX_ROWS
    async with running_feed() as feed, anyio.create_task_group() as group:
        one = Task(feed)
        all_of_it = [*range(1, bursts * size + 1)]
        slow = watch(feed, ONE, 0)
        done: list[bool] = []

        async def read() -> None:
            done.append(await versions(feed, ONE, len(all_of_it)) == all_of_it)

        for _ in range(20):
            group.start_soon(read)
        async with aclosing(slow):
            await one.append()
            first = await anext(slow)
            await one.append(size - 1)
            for _ in range(bursts - 1):
                await one.append(size)
            # It has not read meanwhile, but still gets all events.
            rest = [(await anext(slow)).version for _ in all_of_it[1:]]
    assert [first.version, *rest] == all_of_it
    assert done == [True] * 20


async def test_watch_ends_with_the_feed_after_all_its_events() -> None:
    feed = Feed(MemoryLog())
    await feed.open()
    seen: list[int] = []

    async def read() -> None:
        async with aclosing(watch(feed, ONE, 0)) as rows:
            seen.extend([row.version async for row in rows])

    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        group.start_soon(read)
        await Task(feed).append(3)
        feed.close()
    assert seen == [1, 2, 3]
    await read()  # A late watcher reads the log and then ends.
    assert seen == [1, 2, 3] * 2


async def test_watch_raises_if_its_next_events_were_trimmed() -> None:
    log = MemoryLog()
    async with running_feed(log) as feed:
        await Task(feed).append(10)
        await log.trim(5, None)
        with pytest.raises(CursorExpired, match="up to 5"):
            await versions(feed, ONE, 1)
        assert await versions(feed, ONE, 5, after=5) == [6, 7, 8, 9, 10]


async def test_quiet_watcher_survives_a_burst_and_a_trim() -> None:
    log = MemoryLog()
    async with running_feed(log) as feed, anyio.create_task_group() as group:
        one, other = Task(feed), Task(feed, "t2")
        await one.append()
        seen: list[int] = []

        async def read() -> None:
            seen.extend(await versions(feed, ONE, MAX_ROWS + 3))

        group.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        await other.append(100)
        await log.trim(1, None)
        await one.append(MAX_ROWS + 2)
    assert seen == [*range(1, MAX_ROWS + 4)]


async def test_ended_watcher_leaves_no_listener() -> None:
    async with running_feed() as feed:
        await Task(feed).append()
        await versions(feed, ONE, 1)
        await versions(feed, ALL, 1)
        assert not feed.listeners
