"""A watcher sees every wanted event once, in order: from the log, then live."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.errors import CursorExpired
from host.feed.feed import Feed
from host.feed.watch import MAX_ROWS, watch
from host.log.contract import Row
from host.log.memory import MemoryLog
from host.model.filter import ALL, Filter
from tests.contract.entries import entry

ONE = Filter(task=frozenset(["t1"]))


@asynccontextmanager
async def running(log: MemoryLog | None = None) -> AsyncIterator[Feed]:
    feed = Feed(log or MemoryLog())
    await feed.open()
    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        yield feed
        feed.close()


class Task:
    """A task that tells one event after the other."""

    def __init__(self, feed: Feed, task_id: str = "t1") -> None:
        self.feed = feed
        self.source = f"carly/{task_id}"
        self.told = 0

    async def tell(self, count: int = 1) -> None:
        numbers = range(self.told + 1, self.told + count + 1)
        self.told += count
        await self.feed.append([entry(number, self.source) for number in numbers])


async def versions(feed: Feed, where: Filter, count: int, after: int = 0) -> list[int]:
    seen: list[int] = []
    with anyio.fail_after(10):
        async with aclosing(watch(feed, where, after)) as rows:
            async for row in rows:
                seen.append(row.version)
                if len(seen) == count:
                    break
    return seen


async def test_reads_the_log_and_then_what_comes() -> None:
    async with running() as feed, anyio.create_task_group() as group:
        one, other = Task(feed), Task(feed, "t2")
        await one.tell(3)
        await other.tell(3)
        seen: list[int] = []

        async def read() -> None:
            seen.extend(await versions(feed, ONE, 5))

        group.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        await other.tell()
        await one.tell(2)
    assert seen == [1, 2, 3, 4, 5]


async def test_begins_after_the_id_that_it_is_given() -> None:
    async with running() as feed:
        await Task(feed).tell(5)
        assert await versions(feed, ALL, 3, after=2) == [3, 4, 5]


class MovingLog(MemoryLog):
    """While a page is read, `task` tells more: `bursts` says how much each time."""

    task: Task

    def __init__(self, bursts: list[int]) -> None:
        super().__init__()
        self._bursts = [*bursts]

    async def read(self, after: int, limit: int, where: Filter = ALL) -> list[Row]:
        rows = await super().read(after, limit, where)
        if after and self._bursts:
            await self.task.tell(self._bursts.pop())
        return rows


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 2_500),
    st.lists(st.sampled_from([1, MAX_ROWS - 1, MAX_ROWS, MAX_ROWS + 1]), max_size=4),
)
def test_has_no_hole_and_nothing_twice_at_the_seam(
    before: int, bursts: list[int]
) -> None:
    async def check() -> None:
        log = MovingLog(bursts)
        seen: list[int] = []
        async with running(log) as feed, anyio.create_task_group() as group:
            log.task = Task(feed)
            await Task(feed, "t2").tell(2)
            await log.task.tell(before)

            async def read() -> None:
                async with aclosing(watch(feed, ONE, 1)) as rows:
                    async for row in rows:
                        seen.append(row.version)

            group.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            await log.task.tell()
            await anyio.wait_all_tasks_blocked()
            feed.close()
        assert seen == [*range(1, log.task.told + 1)]

    anyio.run(check)


async def test_many_watch_at_once_and_a_slow_one_costs_nobody_anything() -> None:
    bursts, size = 5, MAX_ROWS
    async with running() as feed, anyio.create_task_group() as group:
        one = Task(feed)
        all_of_it = [*range(1, bursts * size + 1)]
        slow = watch(feed, ONE, 0)
        done: list[bool] = []

        async def read() -> None:
            done.append(await versions(feed, ONE, len(all_of_it)) == all_of_it)

        for _ in range(20):
            group.start_soon(read)
        async with aclosing(slow):
            await one.tell()
            first = await anext(slow)
            await one.tell(size - 1)
            for _ in range(bursts - 1):
                await one.tell(size)
            # It has not read since, and gets it all nevertheless.
            rest = [(await anext(slow)).version for _ in all_of_it[1:]]
    assert [first.version, *rest] == all_of_it
    assert done == [True] * 20


async def test_ends_when_the_feed_closes_with_all_that_was_told() -> None:
    feed = Feed(MemoryLog())
    await feed.open()
    seen: list[int] = []

    async def read() -> None:
        async with aclosing(watch(feed, ONE, 0)) as rows:
            seen.extend([row.version async for row in rows])

    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        group.start_soon(read)
        await Task(feed).tell(3)
        feed.close()
    assert seen == [1, 2, 3]
    await read()  # One that comes too late has the log and then the end.
    assert seen == [1, 2, 3] * 2


async def test_says_so_where_what_followed_is_no_longer_kept() -> None:
    log = MemoryLog()
    async with running(log) as feed:
        await Task(feed).tell(10)
        await log.trim(5, None)
        with pytest.raises(CursorExpired, match="up to 5"):
            await versions(feed, ONE, 1)
        assert await versions(feed, ONE, 5, after=5) == [6, 7, 8, 9, 10]


async def test_that_was_quiet_for_long_does_not_expire_for_a_burst() -> None:
    log = MemoryLog()
    async with running(log) as feed, anyio.create_task_group() as group:
        one, other = Task(feed), Task(feed, "t2")
        await one.tell()
        seen: list[int] = []

        async def read() -> None:
            seen.extend(await versions(feed, ONE, MAX_ROWS + 3))

        group.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        await other.tell(100)
        await log.trim(1, None)
        await one.tell(MAX_ROWS + 2)
    assert seen == [*range(1, MAX_ROWS + 4)]


async def test_that_went_away_leaves_nothing_behind() -> None:
    async with running() as feed:
        await Task(feed).tell()
        await versions(feed, ONE, 1)
        await versions(feed, ALL, 1)
        assert not feed._listeners
