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

MAX_ITEMS = 128  # Then the source is not read further, which slows down the agent.
CLOSE_DEADLINE_S = 2.0

Source = Callable[[], AbstractAsyncContextManager[AsyncIterator[Item]]]


class StreamBuffer(Generic[Item]):
    """Reads `source` in a background task.

    grpcio returns one message at a time. Without the buffer, the host would decode and
    commit each one alone.
    """

    def __init__(self, source: Source[Item]) -> None:
        self._source = source
        self._items: list[Item] = []
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
                    self._has_room.set()
                    yield items
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

    async def _read(self) -> None:
        self._error = BadResponse("connection broken: it was closed")
        try:
            with self._scope:
                async with self._source() as items:
                    async for item in items:
                        self._items.append(item)
                        self._arrived.set()
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
