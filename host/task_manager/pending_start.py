"""Owns a start on its way: what `start_task` returns.

The manager fills it in; whoever awaits it is told.
"""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from typing import Any

import anyio

from ..errors import CourtsideError


class Start(Awaitable[str]):
    """A start on its way: awaited, its task's id."""

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.task_id = ""
        self.error: CourtsideError | None = None
        self.is_awaited = False

    def __await__(self) -> Generator[Any, Any, str]:
        return self._result().__await__()

    async def _result(self) -> str:
        self.is_awaited = True
        await self.done.wait()
        if self.error:
            raise self.error
        return self.task_id
