"""Tests readers that get their events at intervals (`every_s`).

Covers host/feed/sse_fanout.py.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from host.feed.cohort import Cohort
from host.model.filter import ALL
from tests.support.fanout_run import (
    run_fanout,
    run_loop,
    wait_until,
)

EVERY_S = 60.0


@contextmanager
def held_sleep(held_s: float) -> Iterator[asyncio.Event]:
    """Make each sleep of `held_s` last until the event is set."""
    ended, sleep = asyncio.Event(), asyncio.sleep

    async def hold(delay_s: float) -> None:
        await (ended.wait() if delay_s == held_s else sleep(delay_s))

    with mock.patch.object(asyncio, "sleep", hold):
        yield ended


def cohort_sizes() -> list[int]:
    """Return the number of readers of each cohort."""
    gc.collect()
    return [len(each.readers) for each in gc.get_objects() if type(each) is Cohort]


async def test_first_event_is_sent_at_once_and_later_ones_together() -> None:
    with held_sleep(EVERY_S) as rest_ends:
        async with run_fanout() as run:
            client = await run.join(every_s=EVERY_S)
            await run.publish("carly")
            await wait_until(lambda: client.ids == [1])
            for agent in ("walter", "carly", "walter"):
                await run.publish(agent)
                await run_loop()
            assert (client.ids, run.fanout.count()) == ([1], (1, 0))
            rest_ends.set()
            await wait_until(lambda: len(client.ids) == 4)
            assert client.frames == run.frames_after(0, ALL)
            assert client.calls == 2


async def test_resting_readers_rejoin_one_cohort() -> None:
    async with run_fanout() as run:
        clients = [await run.join(every_s=0.001) for _ in range(10)]
        for _ in range(5):
            await run.publish("carly")
            await wait_until(
                lambda: all(len(client.ids) == len(run.events) for client in clients)
            )
            # The next event must not come while some of them still rest.
            await wait_until(lambda: cohort_sizes() == [10], "one cohort of all ten")
        shared = clients[0].bodies[-1]
        assert all(client.bodies[-1] is shared for client in clients)


async def test_resting_reader_ends_at_once_on_disconnect_or_stop() -> None:
    async with run_fanout() as run:
        leaves, stays = await run.join(every_s=EVERY_S), await run.join(every_s=EVERY_S)
        await run.publish("carly")
        await wait_until(lambda: leaves.ids == stays.ids == [1])
        leaves.disconnect()
        await wait_until(lambda: leaves.is_done)
        run.fanout.stop()
        await wait_until(lambda: stays.is_done)
        assert leaves.violations == stays.violations == []
