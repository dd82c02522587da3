"""Tests that TaskStream yields numbers without a hole, or reports lost updates."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
import pytest

from host.clients.bindings.json_errors import UpdatesGone
from host.feed.feed import Feed
from host.gateway.a2a_updates import NumberedUpdate
from host.gateway.task_stream import TaskStream
from host.log.contract import Entry
from host.log.memory_log import MemoryLog
from host.model.event import TaskEvent
from host.model.filter import Filter
from host.protocol.a2a_objects import RESUMABLE
from tests.contract.entries import (
    NOW,
    entry,
    entry_of_notice,
    entry_of_stalled_row,
)
from tests.unit.feed.test_local_reader import running_feed

ONE = Filter(task=frozenset(["t1"]))


def end(version: int) -> Entry:
    row = TaskEvent(
        agent="carly",
        task_id="t1",
        context_id="c1",
        status="completed",
        state="TASK_STATE_COMPLETED",
        progress=100,
        message="done",
        at=None,
        received_at=NOW,
    )
    return Entry.of("carly/t1", version, row)


async def numbers(
    updates: AsyncGenerator[list[NumberedUpdate]], count: int = 99
) -> list[int | None]:
    """Read to the end of the stream, or `count` updates."""
    seen: list[int | None] = []
    with anyio.fail_after(30):
        async with aclosing(updates):
            async for some in updates:
                seen += [update.number for update in some]
                if len(seen) >= count:
                    break
    return seen


async def add_updates(feed: Feed, first: int, last: int, task_id: str = "t1") -> None:
    source = f"carly/{task_id}"
    await feed.append([entry(n, source) for n in range(first, last + 1)])


async def test_reader_resumes_from_any_number() -> None:
    async with running_feed() as feed:
        stream = TaskStream(feed, "carly", "t1")
        await add_updates(feed, 1, 4)
        await add_updates(feed, 1, 9, "t2")
        await feed.append([end(5)])

        for after in range(6):
            rest = await numbers(stream.read_after(after))
            assert rest == [*range(after + 1, 6)]


async def test_resuming_near_the_end_of_a_long_task_reads_few_events() -> None:
    reads: list[int] = []

    class Counting(MemoryLog):
        async def tail(self, before, limit, where=ONE):  # type: ignore[no-untyped-def]
            rows = await super().tail(before, limit, where)
            reads.append(len(rows))
            return rows

    async with running_feed(Counting()) as feed:
        await add_updates(feed, 1, 4_500)
        reads.clear()

        assert await numbers(TaskStream(feed, "carly", "t1").read_after(4_400), 100)

    assert sum(reads) <= 1_000


@pytest.mark.parametrize("after", [0, 1, 2, 3, 7, 99])
async def test_trimmed_number_is_refused_with_the_available_range(
    after: int,
) -> None:
    log = MemoryLog()
    async with running_feed(log) as feed:
        await add_updates(feed, 1, 6)
        await log.trim(2, None)

        with pytest.raises(UpdatesGone) as gone:
            await numbers(TaskStream(feed, "carly", "t1").read_after(after))

    assert gone.value.data == {"oldest": "5", "newest": "6"}
    assert f"Updates after {after} are no longer stored: the host has 5 to 6" in str(
        gone.value
    )


async def test_reader_can_resume_at_the_last_number_of_a_fully_trimmed_task() -> None:
    log = MemoryLog()
    async with running_feed(log) as feed, anyio.create_task_group() as group:
        await add_updates(feed, 1, 6)
        await add_updates(feed, 1, 6, "t2")
        await log.trim(3, None)
        stream = TaskStream(feed, "carly", "t1")
        with pytest.raises(UpdatesGone):
            await numbers(stream.read_after(5))
        seen: list[int | None] = []

        async def read() -> None:
            seen.extend(await numbers(stream.read_after(6)))

        group.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        await feed.append([end(7)])
    assert seen == [7]


async def test_slow_reader_gets_an_error_when_its_next_updates_are_trimmed() -> None:
    log = MemoryLog()
    async with running_feed(log) as feed:
        await add_updates(feed, 1, 10)
        updates = TaskStream(feed, "carly", "t1").read_after(0)
        async with aclosing(updates):
            await anext(updates)
            await add_updates(feed, 11, 3_000)
            await log.trim(10, None)
            with pytest.raises(UpdatesGone):
                await numbers(updates)


async def test_stream_begins_with_the_task_and_continues_with_the_next_number() -> None:
    async with running_feed() as feed, anyio.create_task_group() as group:
        await add_updates(feed, 1, 5)
        seen: list[NumberedUpdate] = []

        async def read() -> None:
            async with aclosing(TaskStream(feed, "carly", "t1").read_task()) as updates:
                async for some in updates:
                    seen.extend(some)

        group.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        await add_updates(feed, 6, 7)
        await feed.append([end(8)])
    task = json.loads(seen[0].json)["task"]
    assert task["metadata"][RESUMABLE] == {"sequence": 5}
    assert task["status"]["message"]["parts"] == [{"text": "update 5"}]
    assert [update.number for update in seen] == [5, 6, 7, 8]
    assert seen[-1].is_terminal


def stalled(version: int) -> list[Entry]:
    return [entry_of_notice(version), entry_of_stalled_row(version + 1)]


def resumed(version: int) -> list[Entry]:
    row = entry_of_stalled_row(version + 1, None)
    return [entry_of_notice(version, "resumed"), row]


async def test_notices_are_not_streamed_and_leave_no_hole() -> None:
    async with running_feed() as feed, anyio.create_task_group() as group:
        await add_updates(feed, 1, 2)
        await feed.append([*stalled(1), *resumed(3)])
        await add_updates(feed, 3, 3)
        await feed.append(stalled(5))
        stream = TaskStream(feed, "carly", "t1")
        whole: list[NumberedUpdate] = []
        live: list[int | None] = []

        async def read_task() -> None:
            async for some in stream.read_task():
                whole.extend(some)

        async def read_new() -> None:
            live.extend(await numbers(stream.read_after(3)))

        group.start_soon(read_task)
        group.start_soon(read_new)
        await anyio.wait_all_tasks_blocked()
        await feed.append(resumed(7))
        await add_updates(feed, 4, 4)
        await feed.append(stalled(9))
        await feed.append([*resumed(11), end(5)])

    assert [update.number for update in whole] == [3, 4, 5]
    assert json.loads(whole[0].json)["task"]["metadata"][RESUMABLE] == {"sequence": 3}
    assert live == [4, 5]


async def test_reader_resumes_from_any_number_across_notices() -> None:
    async with running_feed() as feed:
        await add_updates(feed, 1, 2)
        await feed.append([*stalled(1), *resumed(3)])
        await add_updates(feed, 3, 4)
        await feed.append(stalled(5))
        await feed.append([end(5)])

        for after in range(6):
            rest = await numbers(TaskStream(feed, "carly", "t1").read_after(after))
            assert rest == [*range(after + 1, 6)]


async def test_trimmed_numbers_are_named_although_a_notice_is_the_oldest_event() -> (
    None
):
    log = MemoryLog()
    async with running_feed(log) as feed:
        await add_updates(feed, 1, 3)
        await feed.append([*stalled(1), *resumed(3)])
        await add_updates(feed, 4, 5)
        await log.trim(4, None)

        with pytest.raises(UpdatesGone) as gone:
            await numbers(TaskStream(feed, "carly", "t1").read_after(1))

    assert gone.value.data == {"oldest": "4", "newest": "5"}


async def test_task_that_only_the_board_knows_can_be_read() -> None:
    log = MemoryLog()
    async with running_feed(log) as feed:
        await add_updates(feed, 1, 5)
        await add_updates(feed, 1, 5, "t2")
        await log.trim(5, None)
        async with aclosing(TaskStream(feed, "carly", "t1").read_task()) as updates:
            (first,) = await anext(updates)

    assert first.number == 5
    assert json.loads(first.json)["task"]["status"]["state"] == "TASK_STATE_WORKING"
