"""The writer of one task's events, with a real feed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel

from host.feed.feed import Feed
from host.log.contract import Entry
from host.log.memory_log import MemoryLog
from host.merging.task_writer import MAX_WAITING, MAX_WAITING_BYTES, TaskWriter
from host.model.event import Event, GapEvent, decode
from host.model.filter import ALL
from host.protocol.task_record import TaskRecord


class SlowLog(MemoryLog):
    """Commits only after `go` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.go = anyio.Event()
        self.batches: list[int] = []

    async def append(self, entries: Sequence[Entry]) -> list[int | None]:
        await self.go.wait()
        self.batches.append(len(entries))
        return await super().append(entries)


@asynccontextmanager
async def feed_on(log: MemoryLog) -> AsyncIterator[Feed]:
    feed = Feed(log)
    await feed.open()
    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        yield feed
        feed.close()


def gap(text: str) -> GapEvent:
    return GapEvent(
        agent="carly", task_id="t1", context_id=None, message=text, received_at=""
    )


async def test_flushed_events_are_in_the_feed_in_order() -> None:
    async with feed_on(MemoryLog()) as feed:
        writer = TaskWriter("carly", "t1", feed)
        writer.add([gap("one"), gap("two")])
        writer.add([gap("three")])
        await writer.flush()

        events = [decode(row.body) for row in await feed.history(0, None, 9, ALL)]

    assert events == [gap("one"), gap("two"), gap("three")]


async def test_start_writes_nothing_when_nothing_was_added() -> None:
    async with feed_on(MemoryLog()) as feed, anyio.create_task_group() as group:
        writer = TaskWriter("carly", "t1", feed)
        writer.start(group)
        assert not writer.is_writing


async def test_events_added_during_a_commit_are_committed_together() -> None:
    log = SlowLog()
    async with feed_on(log) as feed, anyio.create_task_group() as group:
        writer = TaskWriter("carly", "t1", feed)
        for number in range(100):
            writer.add([gap(str(number))])
            writer.start(group)
            await anyio.lowlevel.checkpoint()
        log.go.set()
        await writer.flush()

    assert sum(log.batches) == 100
    assert len(log.batches) <= 3


async def is_room_only_after_commit(extra: Sequence[Event], raw: bytes | None) -> bool:
    """Return whether the sender of `extra` events waits until a commit is done."""
    log = SlowLog()
    async with feed_on(log) as feed, anyio.create_task_group() as group:
        writer = TaskWriter("carly", "t1", feed)
        writer.add([gap("first")])
        writer.start(group)
        await anyio.lowlevel.checkpoint()
        writer.add(extra, raw)

        with anyio.move_on_after(0.05) as patience:
            await writer.wait_for_room()
        log.go.set()
        await writer.wait_for_room()
    return patience.cancelled_caught


async def test_sender_waits_while_too_many_events_are_unwritten() -> None:
    events = [gap(str(number)) for number in range(MAX_WAITING + 1)]

    assert await is_room_only_after_commit(events, None)
    assert not await is_room_only_after_commit(events[1:], None)


async def test_sender_of_large_updates_waits_sooner() -> None:
    large = b"x" * (MAX_WAITING_BYTES + 1)
    assert await is_room_only_after_commit([gap("large")], large)


async def test_sender_waits_for_other_large_tasks_of_the_agent() -> None:
    log = SlowLog()
    async with feed_on(log) as feed, anyio.create_task_group() as group:
        writers = [TaskWriter("carly", f"t{number}", feed) for number in range(6)]
        for writer in writers:
            writer.add([gap("first")])
            writer.start(group)
        while feed.budget("carly").unwritten:
            await anyio.lowlevel.checkpoint()
        for writer in writers:
            writer.add([gap("large")], b"x" * (MAX_WAITING_BYTES - 1000))
        writers[0].add([gap("small")])
        with anyio.move_on_after(0.1) as patience:
            await writers[0].wait_for_room()
        log.go.set()
        for writer in writers:
            await writer.flush()

    assert patience.cancelled_caught
    assert feed.budget("carly").unwritten == 0


async def test_flush_waits_as_long_as_the_log_takes() -> None:
    log = SlowLog()
    async with feed_on(log) as feed, anyio.create_task_group() as group:
        writer = TaskWriter("carly", "t1", feed)
        writer.add([gap("one")])
        writer.start(group)
        with anyio.move_on_after(0.1) as patience:
            await writer.flush()
        log.go.set()
        await writer.flush()

    assert patience.cancelled_caught


async def test_next_writer_continues_after_a_cancelled_one_without_loss() -> None:
    """The log silently drops a version number that is used twice."""
    log = SlowLog()
    async with feed_on(log) as feed:
        async with anyio.create_task_group() as group:
            writer = TaskWriter("carly", "t1", feed)
            writer.add([gap("one")])
            writer.start(group)
            while not feed.queue._pending and not feed.queue._committing:
                await anyio.lowlevel.checkpoint()
            writer.add([gap("two")])
            group.cancel_scope.cancel()

        following = TaskWriter("carly", "t1", feed)
        # Until the commit, the agent would send the same updates again.
        with anyio.move_on_after(0.05) as patience:
            await following.load(TaskRecord("carly", "t1"))
        assert patience.cancelled_caught
        log.go.set()
        assert await following.load(TaskRecord("carly", "t1"))
        following.add([gap("three")])
        await following.flush()

        assert len(await feed.history(0, None, 9, ALL)) == 3
