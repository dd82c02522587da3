"""Splits the response to a message into parts: one for each task that it shows."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from ..clients.bindings.types import Batch, Update

MAX_WAITING = 100  # Batches of one part that nobody has read yet.
# Not every agent ends the response. Another task may come after the end of the first.
LINGER_S = 5.0

Part = AsyncGenerator[Batch]


class ResponseParts:
    """The parts of one response.

    `start` is called for each task, with the part from its first update on. An update
    without a task id belongs to the task `main_id`.
    """

    def __init__(self, main_id: str, start: Callable[[str, Part], None]) -> None:
        self._last_id = self._main_id = main_id
        self._start = start
        self._sends: dict[str, MemoryObjectSendStream[Batch]] = {}
        self._open_count = 0
        self._scope = anyio.CancelScope()
        self._error: Exception | None = None

    async def read(self, response: AsyncGenerator[Batch]) -> None:
        """Read the response to its end, or until no part of it has been read for
        LINGER_S. Its error is raised by the parts."""
        try:
            with self._scope:
                async for batch in response:
                    await self._send(batch)
        except Exception as error:
            self._error = error
        finally:
            for send in self._sends.values():
                send.close()

    def end(self, task_id: str) -> None:
        """End a part. If the task has more updates, they start another part."""
        if send := self._sends.pop(task_id, None):
            send.close()

    async def _send(self, batch: Batch) -> None:
        updates: dict[str, list[Update]] = {}
        for update in batch.updates:
            self._last_id = self._find_task_id(update)
            updates.setdefault(self._last_id, []).append(update)
        for task_id, own in updates.items():
            if task_id != self._last_id:
                await self._send_to(task_id, Batch(own))
        # What was dropped belongs to the last task, most likely.
        own = updates.get(self._last_id, [])
        await self._send_to(self._last_id, batch._replace(updates=own))

    def _find_task_id(self, update: Update) -> str:
        response = update.response
        if message := response.message:
            is_known = message.task_id in self._sends
            return message.task_id if is_known else self._main_id
        return response.task_id or self._main_id

    async def _send_to(self, task_id: str, batch: Batch) -> None:
        if task_id not in self._sends:
            send, receive = anyio.create_memory_object_stream[Batch](MAX_WAITING)
            self._sends[task_id] = send
            self._open_count += 1
            self._scope.deadline = math.inf
            self._start(task_id, self._read_part(receive))
        with suppress(anyio.BrokenResourceError):  # Its task has ended.
            await self._sends[task_id].send(batch)

    async def _read_part(self, receive: MemoryObjectReceiveStream[Batch]) -> Part:
        try:
            async with receive:
                async for batch in receive:
                    yield batch
            if self._error:
                raise self._error
        finally:
            self._open_count -= 1
            if not self._open_count:
                self._scope.deadline = anyio.current_time() + LINGER_S
