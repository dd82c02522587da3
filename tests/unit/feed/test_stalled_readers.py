"""Tests of host/feed/stalled_readers.py: readers that do not read are closed."""

from __future__ import annotations

import logging
from functools import partial
from time import monotonic
from unittest import mock

import pytest

import host.feed.stalled_readers
from host.feed.ring import BLOCK_BYTES
from host.feed.stalled_readers import cut_stalled
from host.model.filter import ALL
from tests.support.fanout_run import Client, FanoutRun, run_fanout, run_loop, wait_until

PIECES = [b"data: one", b" two", b"\n\n"]


async def check(run: FanoutRun, *, after_s: float = 0.0) -> None:
    """Run the check of the fan-out, with readers that are blocked for `after_s`."""
    later = mock.Mock(side_effect=lambda: monotonic() + after_s)
    with mock.patch.object(host.feed.stalled_readers, "monotonic", later):
        cut_stalled(run.feed, run.fanout._readers, await run.feed.bounds())
    await run_loop()


async def join_blocked(run: FanoutRun, *, with_opening: bool) -> Client:
    client = await run.join(opening=iter(PIECES) if with_opening else None)
    client.block()
    await run_loop()
    return client


def has_bodies(client: Client, count: int) -> bool:
    return len(client.bodies) >= count


@pytest.mark.parametrize("with_opening", [True, False])
async def test_reader_that_does_not_read_is_closed_after_a_minute(
    with_opening: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with run_fanout() as run:
        active = await run.join()
        stalled = await join_blocked(run, with_opening=with_opening)
        await run.publish("carly")
        await run_loop()
        await check(run, after_s=55)
        assert not stalled.is_done
        await check(run, after_s=65)
        await wait_until(lambda: stalled.is_done)
        await check(run, after_s=65)
        assert not active.is_done
        assert active.frames == run.frames_after(0, ALL)
        (line,) = [
            each.getMessage()
            for each in caplog.records
            if each.levelno >= logging.WARNING
        ]
        assert "stalled; it read nothing for 65 s" in line


async def test_opening_comes_before_the_events_in_pieces() -> None:
    async with run_fanout() as run:
        await run.publish("carly")
        client = await run.join(opening=iter(PIECES))
        await run.publish("walter")
        await wait_until(lambda: client.ids == [2])
        assert client.bodies[: len(PIECES)] == PIECES
        later = await run.join()
        await run.publish("carly")
        await wait_until(lambda: later.ids == [3])
        assert client.bodies[-1] is later.bodies[-1]


async def test_reader_that_reads_slowly_is_not_closed() -> None:
    async with run_fanout() as run:
        slow = await join_blocked(run, with_opening=True)
        slow.on_send = slow.block
        for count in range(1, len(PIECES) + 1):
            await check(run, after_s=50)
            slow.unblock()
            await wait_until(partial(has_bodies, slow, count))
            assert not has_bodies(slow, count + 1)
        await run_loop()
        assert not slow.is_done


@pytest.mark.parametrize(("after_s", "closed"), [(4.0, 0), (6.0, 2)])
async def test_readers_that_hold_too_many_bytes_are_closed_longest_first(
    after_s: float, closed: int, caplog: pytest.LogCaptureFixture
) -> None:
    with mock.patch.object(
        host.feed.stalled_readers, "MAX_STALLED_BYTES", 3 * BLOCK_BYTES
    ):
        async with run_fanout() as run:
            stalled = [await join_blocked(run, with_opening=True) for _ in range(5)]
            await check(run, after_s=after_s)
            assert [client.is_done for client in stalled] == [
                number < closed for number in range(5)
            ]
            warnings = [
                each for each in caplog.records if each.levelno >= logging.WARNING
            ]
            assert len(warnings) == closed


async def test_stopping_host_ends_a_reader_in_its_opening() -> None:
    async with run_fanout() as run:
        stalled = await join_blocked(run, with_opening=True)
        run.fanout.stop()
        stalled.unblock()
        await wait_until(lambda: stalled.is_ended)
