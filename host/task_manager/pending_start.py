"""The result of `start_task`: awaitable, but nobody has to await it."""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from typing import Any

import anyio

from ..errors import CourtsideError


class PendingStart(Awaitable[str]):
    """Awaiting it returns the task's id, or raises `error`."""

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.task_id = ""
        self.error: CourtsideError | None = None
        self.is_awaited = False

    def __await__(self) -> Generator[Any, Any, str]:
        return self._wait().__await__()

    async def _wait(self) -> str:
        self.is_awaited = True
        await self.done.wait()
        if self.error:
            raise self.error
        return self.task_id
