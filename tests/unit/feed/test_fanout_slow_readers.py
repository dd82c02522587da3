"""Tests readers that fail, block, lag or disconnect.

Covers host/feed/sse_fanout.py.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from unittest import mock

import anyio
import pytest

import host.feed.cohort
import host.feed.feed
import host.feed.ring
import host.feed.sse_fanout
from host.feed.cohort import Reader
from host.model.filter import ALL
from tests.support.fanout_run import (
    Client,
    FanoutRun,
    count_objects,
    run_fanout,
    run_loop,
    small_limits,
    wait_until,
)


@pytest.mark.parametrize("error", [OSError, asyncio.CancelledError])
async def test_failing_send_ends_only_its_reader(
    error: type[BaseException],
) -> None:
    async with run_fanout() as run:
        clients = [await run.join() for _ in range(9)]
        clients[4].error_on_send = error()
        await run.publish("carly")
        await wait_until(lambda: clients[4].is_done)
        clients[4].error_on_send = None  # Its next event must not follow a lost one.
        await run.publish("carly", "walter")
        others = [client for client in clients if client is not clients[4]]
        await wait_until(lambda: all(client.ids == [1, 2, 3] for client in others))
        assert (clients[4].calls, clients[4].violations) == (1, [])


async def test_blocked_reader_catches_up_and_rejoins_its_cohort() -> None:
    with small_limits():
        async with run_fanout() as run:
            normal, slow = await run.join(), await run.join()
            await run_loop()
            before = len(asyncio.all_tasks())
            for behind in (2, 30):  # In the ring, and only in the log.
                slow.block()
                for _ in range(behind):
                    await run.publish("carly")
                    await run_loop(3)
                assert len(asyncio.all_tasks()) == before + 1
                slow.unblock()
                await wait_until(lambda: slow.frames == run.frames_after(0, ALL))
                await run_loop()
                assert len(asyncio.all_tasks()) == before
                await run.publish("walter")
                await wait_until(
                    lambda: slow.frames == normal.frames == run.frames_after(0, ALL)
                )
                assert slow.bodies[-1] is normal.bodies[-1]


async def trim_past_readers(run: FanoutRun) -> None:
    for _ in range(40):
        await run.publish("carly")
        await run_loop(3)
    await run.log.trim(5, None)


async def test_slow_reader_gets_a_comment_when_its_next_events_are_trimmed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with small_limits():
        async with run_fanout() as run:
            slow = await run.join()
            slow.block()
            await trim_past_readers(run)
            slow.unblock()
            await wait_until(lambda: slow.is_done)
            assert slow.is_ended
            assert slow.frames == run.frames_after(0, ALL)[:1]
            assert slow.bodies[-1] == b": cut: events up to 35 are no longer kept\n\n"
            (line,) = find_warnings(caplog)
            assert "cursor=1 " in line and "up to 35" in line


async def test_stalled_reader_is_closed_when_its_next_events_are_trimmed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with small_limits(pinging=True):
        async with run_fanout() as run:
            active, stalled = await run.join(), await run.join()
            stalled.block()
            await run_loop()  # A ping finds that it is blocked.
            assert not stalled.is_done
            await trim_past_readers(run)
            await wait_until(lambda: stalled.is_done)
            await run_loop()
            assert stalled.bodies == []
            assert active.frames == run.frames_after(0, ALL)
            (line,) = find_warnings(caplog)
            assert "cursor=0 " in line and "stalled" in line and "up to 35" in line
            active.disconnect()
            await wait_until(lambda: active.is_done)
            assert count_objects(Reader) == 0


async def test_stalled_reader_stays_while_the_ring_has_its_next_events() -> None:
    with mock.patch.object(host.feed.sse_fanout, "PING_S", 0.0):
        async with run_fanout() as run:
            stalled = await run.join()
            stalled.block()
            await trim_past_readers(run)
            await run_loop()
            stalled.unblock()
            await wait_until(lambda: stalled.frames == run.frames_after(0, ALL))


def find_warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING
    ]


async def test_lagging_reader_ends_at_once_on_disconnect() -> None:
    async with run_fanout() as run:
        gone = await run.join()
        gone.block()
        await run.publish("carly")
        await run_loop()
        gone.disconnect()
        await wait_until(lambda: gone.is_done)
        await run_loop()
        assert count_objects(Reader) == 0
        await run.publish("carly")
        await run_loop()
        assert (gone.calls, gone.violations) == (1, [])


async def test_closed_request_has_no_pending_cancellation() -> None:
    """A timeout around the request would otherwise mistake it for its own."""
    async with run_fanout() as run:
        broken = Client()
        broken.error_on_send = OSError("gone")
        cancels: list[int] = []

        async def request() -> None:
            await run.fanout.serve(ALL, run.feed.head, broken.receive, broken.send)
            task = asyncio.current_task()
            if task and sys.version_info >= (3, 11):
                cancels.append(task.cancelling())
            else:
                cancels.append(0)

        async with anyio.create_task_group() as group:
            group.start_soon(request)
            await run_loop()
            await run.publish("carly")
            await wait_until(lambda: cancels)
        assert cancels == [0]


async def test_cancelled_request_is_not_taken_for_a_disconnect() -> None:
    async with run_fanout() as run:
        client, is_ended = Client(), False

        async def request() -> None:
            nonlocal is_ended
            await run.fanout.serve(ALL, 0, client.receive, client.send)
            is_ended = True

        async with anyio.create_task_group() as group:
            group.start_soon(request)
            await run_loop()
            group.cancel_scope.cancel()
        assert not is_ended
        assert count_objects(Reader) == 0
