"""One task's events on their way into a real feed: numbered, gathered, not cut off."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel

from host.feed.feed import Feed
from host.following.task_writer import MAX_WAITING, MAX_WAITING_BYTES, Record
from host.log.contract import Entry
from host.log.memory import MemoryLog
from host.model.event import GapEvent, decode
from host.model.filter import ALL
from host.protocol.task_knowledge import Known


class SlowLog(MemoryLog):
    """Commits when it is let go."""

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


async def test_events_are_in_the_feed_in_order_when_it_says_so() -> None:
    async with feed_on(MemoryLog()) as feed:
        kept = Record("carly", "t1", feed)
        kept.add([gap("one"), gap("two")], None)
        kept.add([gap("three")], None)
        await kept.written()

        told = [decode(row.body) for row in await feed.history(0, None, 9, ALL)]

    assert told == [gap("one"), gap("two"), gap("three")]


async def test_what_comes_while_an_append_is_under_way_goes_together() -> None:
    log = SlowLog()
    async with feed_on(log) as feed, anyio.create_task_group() as group:
        kept = Record("carly", "t1", feed)
        for number in range(100):
            kept.add([gap(str(number))], None)
            if kept.begin():
                group.start_soon(kept.write)
            await anyio.lowlevel.checkpoint()
        log.go.set()
        await kept.written()

    assert sum(log.batches) == 100
    assert len(log.batches) <= 3


async def test_whoever_brings_more_than_can_be_written_waits() -> None:
    log = SlowLog()
    async with feed_on(log) as feed, anyio.create_task_group() as group:
        kept = Record("carly", "t1", feed)
        assert not kept.begin()
        kept.add([gap("first")], None)
        assert kept.begin()
        group.start_soon(kept.write)
        await anyio.lowlevel.checkpoint()
        kept.add([gap("more")] * (MAX_WAITING + 1), None)

        with anyio.move_on_after(0.05) as patience:
            await kept.room()
        log.go.set()
        await kept.room()

    assert patience.cancelled_caught


async def test_whoever_brings_large_updates_waits_sooner() -> None:
    log = SlowLog()
    async with feed_on(log) as feed, anyio.create_task_group() as group:
        kept = Record("carly", "t1", feed)
        kept.add([gap("first")], None)
        assert kept.begin()
        group.start_soon(kept.write)
        await anyio.lowlevel.checkpoint()
        kept.add([gap("large")], b"x" * (MAX_WAITING_BYTES + 1))

        with anyio.move_on_after(0.05) as patience:
            await kept.room()
        log.go.set()
        await kept.room()

    assert patience.cancelled_caught


async def test_a_log_that_does_not_answer_holds_its_agents_back_for_as_long() -> None:
    log = SlowLog()
    async with feed_on(log) as feed, anyio.create_task_group() as group:
        slow = Record("carly", "t1", feed)
        slow.add([gap("one")], None)
        assert slow.begin()
        group.start_soon(slow.write)
        with anyio.move_on_after(0.1) as patience:
            await slow.written()
        log.go.set()
        await slow.written()

    assert patience.cancelled_caught


async def test_a_follower_cut_off_loses_nothing_and_its_heir_counts_on() -> None:
    """A version given twice would be left out of the log in silence."""
    log = SlowLog()
    async with feed_on(log) as feed:
        async with anyio.create_task_group() as group:
            kept = Record("carly", "t1", feed)
            kept.add([gap("one")], None)
            assert kept.begin()
            group.start_soon(kept.write)
            while not feed._pending and not feed._committing:
                await anyio.lowlevel.checkpoint()
            kept.add([gap("two")], None)
            group.cancel_scope.cancel()

        heir = Record("carly", "t1", feed)
        # Its agent would tell it again what is on its way.
        with anyio.move_on_after(0.05) as patience:
            await heir.recall(Known("carly", "t1"))
        assert patience.cancelled_caught
        log.go.set()
        assert await heir.recall(Known("carly", "t1"))
        heir.add([gap("three")], None)
        await heir.written()

        assert len(await feed.history(0, None, 9, ALL)) == 3
