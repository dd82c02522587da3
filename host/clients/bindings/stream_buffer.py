"""Reads a stream in the background and collects its items, so that the host decodes and
commits several at a time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

from .unreachable_errors import BadResponse, is_cancelled

Item = TypeVar("Item")

# Then the source is not read further, which slows down the agent.
MAX_ITEMS = 128
MAX_BYTES = 8 * 1024 * 1024
CLOSE_DEADLINE_S = 2.0

Source = Callable[[], AbstractAsyncContextManager[AsyncIterator[Item]]]


class ReadAhead:
    """Counts the bytes that the buffers of one agent have read ahead."""

    def __init__(self) -> None:
        self.bytes = 0
        self._freed = anyio.Event()

    def free(self, size: int) -> None:
        self.bytes -= size
        freed, self._freed = self._freed, anyio.Event()
        freed.set()

    async def wait_for_room(self) -> None:
        while self.bytes >= MAX_BYTES:
            await self._freed.wait()


class StreamBuffer(Generic[Item]):
    """Reads `source` in a background task. `size` returns the bytes of an item.

    grpcio returns one message at a time. Without the buffer, the host would decode and
    commit each one alone.
    """

    def __init__(
        self, source: Source[Item], size: Callable[[Item], int], ahead: ReadAhead
    ) -> None:
        self._source = source
        self._size = size
        self._ahead = ahead
        self._items: list[Item] = []
        self._bytes = 0
        self._error: BaseException | None = None
        self._ended = anyio.Event()
        self._arrived = anyio.Event()
        self._has_room = anyio.Event()
        self._scope = anyio.CancelScope()

    async def batches(self, task_group: TaskGroup) -> AsyncGenerator[list[Item]]:
        """Yield the items since the last batch. Raises the source's error."""
        task_group.start_soon(self._read)
        try:
            while True:
                if self._items:
                    items, self._items = self._items, []
                    size, self._bytes = self._bytes, 0
                    self._has_room.set()
                    try:
                        yield items
                    finally:
                        self._ahead.free(size)
                elif self._ended.is_set():
                    break
                else:
                    self._arrived = anyio.Event()
                    await self._arrived.wait()
            if self._error:
                raise self._error
        finally:
            self._scope.cancel()
            with anyio.move_on_after(CLOSE_DEADLINE_S, shield=True):
                await self._ended.wait()
            self._ahead.free(self._bytes)

    async def _read(self) -> None:
        self._error = BadResponse("connection broken: it was closed")
        try:
            with self._scope:
                async with self._source() as items:
                    async for item in items:
                        self._items.append(item)
                        size = self._size(item)
                        self._bytes += size
                        self._ahead.bytes += size
                        self._arrived.set()
                        await self._ahead.wait_for_room()
                        if len(self._items) >= MAX_ITEMS:
                            self._has_room = anyio.Event()
                            await self._has_room.wait()
                self._error = None
        except anyio.get_cancelled_exc_class():
            if is_cancelled():
                raise
        except Exception as error:
            # Raised again in `batches`, where the caller maps it.
            self._error = error
        finally:
            self._ended.set()
            self._arrived.set()
