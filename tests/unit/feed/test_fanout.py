"""Tests that readers share bytes and cohorts, and that this costs no tasks or memory.

Covers host/feed/sse_fanout.py and cohort.py.
"""

from __future__ import annotations

import asyncio

from host.feed.cohort import COHORT, Channel, Cohort, Reader
from host.feed.feed import Feed
from host.feed.ring import BLOCK_BYTES
from host.log.memory_log import MemoryLog
from host.model.filter import ALL, Filter
from tests.support.fanout_run import (
    ONLY_CARLY,
    ONLY_WALTER,
    Client,
    count_objects,
    run_fanout,
    run_loop,
    wait_until,
)


async def test_readers_at_one_cursor_share_the_same_bytes() -> None:
    async with run_fanout() as run:
        clients = [await run.join() for _ in range(3 * COHORT)]
        await run.publish("carly", "walter")
        await wait_until(lambda: all(len(client.frames) == 2 for client in clients))
        shared = clients[0].bodies[-1]
        assert all(client.bodies[-1] is shared for client in clients)
        assert all(client.calls == 1 for client in clients)


async def test_reader_of_one_agent_is_not_called_for_other_events() -> None:
    async with run_fanout() as run:
        walter_client = await run.join(ONLY_WALTER)
        other_client = await run.join()
        for _ in range(10):
            await run.publish("carly")
            await run_loop()
        await wait_until(lambda: len(other_client.frames) == 10)
        assert walter_client.calls == 0
        await run.publish("walter")
        await wait_until(lambda: walter_client.ids == [11])
        assert walter_client.calls == 1


async def test_send_that_does_not_block_creates_no_task() -> None:
    async with run_fanout() as run:
        clients = [await run.join() for _ in range(50)]
        await run_loop()
        before = len(asyncio.all_tasks())
        during: list[int] = []
        for client in clients:
            client.on_send = lambda: during.append(len(asyncio.all_tasks()))
        await run.publish("carly")
        await wait_until(lambda: all(client.frames for client in clients))
        assert during == [before] * len(clients)
        assert len(asyncio.all_tasks()) == before


async def test_small_cohorts_are_merged_after_readers_leave() -> None:
    async with run_fanout() as run:
        clients = [await run.join() for _ in range(10 * COHORT)]
        assert count_objects(Cohort) == 10
        for client in clients[::2]:
            client.disconnect()
        await wait_until(lambda: all(client.is_done for client in clients[::2]))
        await run.publish("carly")
        await wait_until(lambda: all(client.frames for client in clients[1::2]))
        await run.publish("carly")
        await wait_until(
            lambda: all(len(client.frames) == 2 for client in clients[1::2])
        )
        assert count_objects(Cohort) == 5


async def test_merged_cohort_keeps_no_readers() -> None:
    """A ping may still use the old cohort. It must not write to a reader twice."""
    feed = Feed(MemoryLog())
    await feed.open()
    channel = Channel(feed, ALL)
    readers = [Reader(Client().send, ALL, 0) for _ in range(COHORT + 1)]
    for reader in readers:
        channel.join(reader)
    first, second = channel.cohorts
    del first.readers[readers[0]]
    channel.compact()
    assert channel.cohorts == [first]
    assert second.readers == {}
    assert readers[-1].cohort is first


async def test_memory_of_disconnected_readers_is_freed() -> None:
    async with run_fanout() as run:
        clients = [
            await run.join(where) for where in (ALL, ONLY_CARLY) for _ in range(9)
        ]
        await run.publish("carly", "walter")
        clients[0].block()
        await run.publish("carly", "walter")
        clients += [await run.join(Filter(task=frozenset({f"t{n}"}))) for n in range(9)]
        await run_loop()
        for client in clients:
            client.disconnect()
        await wait_until(lambda: all(client.is_done for client in clients))
        await run_loop()
        assert [count_objects(cls) for cls in (Reader, Cohort, Channel)] == [0, 0, 0]


async def test_large_event_is_sent_in_small_pieces() -> None:
    async with run_fanout() as run:
        normal, stalled = await run.join(), await run.join()
        stalled.block()
        await run.publish("carly", size=20 * BLOCK_BYTES)
        await run.publish("walter")
        await wait_until(lambda: normal.frames == run.frames_after(0, ALL))
        assert max(len(body) for body in normal.bodies) <= BLOCK_BYTES
        assert stalled.calls == 1
        stalled.unblock()
        await wait_until(lambda: stalled.frames == run.frames_after(0, ALL))
