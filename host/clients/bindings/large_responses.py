"""Limits the bytes of large responses and events that one agent has sent in part."""

from __future__ import annotations

import anyio

SMALL_BYTES = 16 * 1024
MAX_BYTES = 8 * 1024 * 1024


class LargeResponses:
    """Call `keep` while a response arrives, and `drop` at its end.

    Over the limit only the first one may go on, so that at least that one ends.
    """

    def __init__(self) -> None:
        self._sizes: dict[object, int] = {}
        self._total = 0
        self._freed = anyio.Event()

    def __len__(self) -> int:
        return len(self._sizes)

    async def keep(self, response: object, size: int) -> None:
        """Note how much of a response is in memory. Wait while all have too much."""
        if size <= SMALL_BYTES:
            return self.drop(response)
        growth = size - self._sizes.get(response, 0)
        self._total += growth
        self._sizes[response] = size
        if growth < 0:
            self._notify()
        while self._total > MAX_BYTES and response is not next(iter(self._sizes)):
            await self._freed.wait()

    def drop(self, response: object) -> None:
        if response in self._sizes:
            self._total -= self._sizes.pop(response)
            self._notify()

    def _notify(self) -> None:
        freed, self._freed = self._freed, anyio.Event()
        freed.set()
