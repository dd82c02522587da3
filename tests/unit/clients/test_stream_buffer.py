"""Tests of host/clients/bindings/stream_buffer.py: how far a stream is read ahead."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import anyio
import pytest

from host.clients.bindings import stream_buffer
from host.clients.bindings.stream_buffer import (
    MAX_BYTES,
    MAX_ITEMS,
    ReadAhead,
    StreamBuffer,
)


class Numbers:
    """A stream of 1, 2, 3 … `sent` is the last one."""

    def __init__(self, *, is_stuck: bool = False) -> None:
        self.sent = 0
        self.has_ended = anyio.Event()
        self._is_stuck = is_stuck

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[AsyncIterator[int]]:
        try:
            yield self._items()
        finally:
            with anyio.CancelScope(shield=True):
                if self._is_stuck:
                    await self.has_ended.wait()

    async def _items(self) -> AsyncGenerator[int]:
        while True:
            self.sent += 1
            yield self.sent


def read(
    numbers: Numbers, size: int = 1, ahead: ReadAhead | None = None
) -> StreamBuffer[int]:
    """Return a buffer whose items have `size` bytes."""
    return StreamBuffer(numbers.open, lambda _: size, ahead or ReadAhead())


async def test_agent_waits_when_enough_is_read_ahead() -> None:
    numbers = Numbers()
    async with (
        anyio.create_task_group() as group,
        aclosing(read(numbers).batches(group)) as batches,
    ):
        assert len(await anext(batches)) == MAX_ITEMS
        assert numbers.sent == MAX_ITEMS
        assert (await anext(batches))[0] == MAX_ITEMS + 1
        await anyio.wait_all_tasks_blocked()
        assert numbers.sent == 3 * MAX_ITEMS


async def test_all_streams_of_an_agent_wait_when_many_bytes_are_read_ahead() -> None:
    one, other, ahead = Numbers(), Numbers(), ReadAhead()
    quarter = MAX_BYTES // 4
    async with (
        anyio.create_task_group() as group,
        aclosing(read(one, quarter, ahead).batches(group)) as batches,
    ):
        assert await anext(batches) == [1, 2, 3, 4]
        async with aclosing(read(other, 1_000, ahead).batches(group)) as others:
            assert await anext(others) == [1]
            await anyio.wait_all_tasks_blocked()
            assert (one.sent, other.sent) == (4, 1)
            assert await anext(batches) == [5, 6, 7, 8]
        await anyio.wait_all_tasks_blocked()
        assert one.sent == 8
    assert ahead.bytes == 0


async def test_stream_that_does_not_close_is_abandoned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stream_buffer, "CLOSE_DEADLINE_S", 0.1)
    numbers = Numbers(is_stuck=True)
    async with anyio.create_task_group() as group:
        with anyio.fail_after(30):
            async with aclosing(read(numbers).batches(group)) as batches:
                await anext(batches)
        numbers.has_ended.set()
