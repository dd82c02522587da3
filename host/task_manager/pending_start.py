"""The results of `start_task`: awaitable, but nobody has to await them."""

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


class PendingStarts:
    """All starts of one manager."""

    def __init__(self) -> None:
        self._starts: list[PendingStart] = []

    def add(self) -> PendingStart:
        start = PendingStart()
        self._starts.append(start)
        return start

    def raise_unseen_error(self) -> None:
        """Raise the error of a start that nobody awaited, once."""
        for start in self._starts:
            if start.error and not start.is_awaited:
                start.is_awaited = True
                raise start.error
