"""Owns the reading ahead of a stream, so that what came together stays together.

The wire and the gRPC binding read through it; it hands lists to whoever decodes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

from .failure_causes import BadAnswer, is_cancelled

Item = TypeVar("Item")

MAX_ITEMS = 128  # Then the source waits, and with it the agent.
CLOSE_DEADLINE_S = 2.0

Source = Callable[[], AbstractAsyncContextManager[AsyncIterator[Item]]]


class Ahead(Generic[Item]):
    """Reads `source` in a task of its own.

    A body of server-sent events comes in as one piece an event; to decode and commit
    them one by one would cost a round through the whole host each. And a generator
    must not hold a cancel scope of httpx open across its yields.
    """

    def __init__(self, source: Source[Item]) -> None:
        self._source = source
        self._items: list[Item] = []
        self._error: BaseException | None = None
        self._ended = anyio.Event()
        self._arrived = anyio.Event()
        self._room = anyio.Event()
        self._scope = anyio.CancelScope()

    async def lists(self, tasks: TaskGroup) -> AsyncGenerator[list[Item]]:
        """What has arrived since the last time, each time; raises what `source` did."""
        tasks.start_soon(self._read)
        try:
            while True:
                if self._items:
                    items, self._items = self._items, []
                    self._room.set()
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
        self._error = BadAnswer("broken: the connection was closed")
        try:
            with self._scope:
                async with self._source() as items:
                    async for item in items:
                        self._items.append(item)
                        self._arrived.set()
                        if len(self._items) >= MAX_ITEMS:
                            self._room = anyio.Event()
                            await self._room.wait()
                self._error = None
        except anyio.get_cancelled_exc_class():
            if is_cancelled():
                raise
        except Exception as error:
            # Raised where the stream is read: there is who can say what it means.
            self._error = error
        finally:
            self._ended.set()
            self._arrived.set()
