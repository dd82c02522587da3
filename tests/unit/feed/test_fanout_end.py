"""Tests pings to quiet readers, and the end of the fan-out.

Covers host/feed/sse_fanout.py.
"""

from __future__ import annotations

from functools import partial
from unittest import mock

import anyio

import host.feed.cohort
import host.feed.feed
import host.feed.ring
import host.feed.sse_fanout
from host.feed.cohort import Reader
from host.feed.feed import Feed
from host.feed.sse_fanout import Fanout
from host.log.memory_log import MemoryLog
from host.model.filter import ALL
from host.model.sse import PING
from tests.contract.entries import message
from tests.support.fanout_run import (
    ONLY_WALTER,
    Client,
    count_objects,
    run_fanout,
    run_loop,
    wait_until,
)


async def test_only_quiet_readers_are_pinged() -> None:
    now = 1_000.0
    with (
        mock.patch.object(host.feed.sse_fanout, "PING_S", 0.001),
        mock.patch.object(host.feed.sse_fanout, "perf_counter", lambda: now),
        mock.patch.object(host.feed.cohort, "perf_counter", lambda: now),
    ):
        async with run_fanout() as run:
            busy, quiet = await run.join(), await run.join(ONLY_WALTER)
            for count in range(1, 6):
                now += 0.0007
                await run.publish("carly")
                now += 0.0007
                await wait_until(partial(quiet.has_pings, count))
            assert PING not in busy.bodies
            now += 0.0011
            await wait_until(lambda: busy.bodies[-1] == PING)
            assert busy.ids == [1, 2, 3, 4, 5]


async def test_stop_ends_every_reader() -> None:
    async with run_fanout() as run:
        cohort = [await run.join() for _ in range(3)]
        slow, waking = await run.join(), await run.join()
        slow.block()
        waking.block()
        await run.publish("carly")
        await run_loop()
        waking.unblock()
        run.fanout.stop()
        late = await run.join(cursor=0)
        slow.unblock()
        clients = [*cohort, slow, waking, late]
        await wait_until(lambda: all(client.is_done for client in clients))
        await run.publish("carly")
        await run_loop()
        for client in clients:
            assert client.bodies[-1] == b""
            assert (client.is_ended, client.violations) == (True, [])
        assert cohort[0].ids == [1]
        assert count_objects(Reader) == 0


async def test_stop_does_not_wait_for_blocked_readers() -> None:
    with mock.patch.object(host.feed.sse_fanout, "END_S", 0.01):
        async with run_fanout() as run:
            stalled, behind = await run.join(), await run.join()
            behind.block()
            await run.publish("carly")
            await wait_until(lambda: stalled.frames)
            stalled.block()
            run.fanout.stop()
            await wait_until(lambda: stalled.is_done and behind.is_done)
            assert (stalled.ids, behind.bodies) == ([1], [])
            assert count_objects(Reader) == 0


async def test_stop_ends_readers_after_the_fanout_task_ended() -> None:
    feed = Feed(MemoryLog())
    await feed.open()
    fanout = Fanout(feed)
    clients = [Client() for _ in range(3)]
    done: list[Client] = []

    async def request(client: Client) -> None:
        await fanout.serve(ALL, 0, client.receive, client.send)
        done.append(client)

    async with anyio.create_task_group() as requests:
        async with anyio.create_task_group() as group:
            group.start_soon(feed.write)
            group.start_soon(fanout.run)
            for client in clients:
                requests.start_soon(request, client)
            await run_loop()
            clients[1].block()
            await feed.append([message(1, None)])
            await wait_until(lambda: clients[0].frames)
            clients[2].block()
            group.cancel_scope.cancel()
        fanout.stop()
        await wait_until(lambda: len(done) == len(clients))
    assert [client.is_ended for client in clients] == [True, False, False]
