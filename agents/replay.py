"""Keeps the last updates of one task for readers that come late or come back."""

from collections import deque
from collections.abc import AsyncGenerator

import anyio

from .resume import Update, UpdatesGoneError


class ReplayBuffer:
    """The last updates of one task, numbered from 1. A reader is just a number.

    The SDK would drop a reader that is 1,024 updates behind without an error. Here a
    reader gets every update that is kept, and UpdatesGoneError for one that is not.
    """

    def __init__(self, max_updates: int, max_bytes: int) -> None:
        self.head = 0
        self.bytes = 0
        self._max_updates = max_updates
        self._max_bytes = max_bytes
        # Serialized: that takes a fraction of the memory of the objects.
        self._updates: deque[tuple[type[Update], bytes]] = deque()
        self._changed = anyio.Event()
        self._is_closed = False

    def add(self, update: Update) -> None:
        """Keep a copy of the next update and wake the readers."""
        data = update.SerializeToString()
        self._updates.append((type(update), data))
        self.head += 1
        self.bytes += len(data)
        while len(self._updates) > self._max_updates or (
            self.bytes > self._max_bytes and len(self._updates) > 1
        ):
            self.bytes -= len(self._updates.popleft()[1])
        self._wake_readers()

    def close(self) -> None:
        """End the readers once they have read everything."""
        self._is_closed = True
        self._wake_readers()

    def clear(self) -> None:
        """Drop all updates; the numbers continue."""
        self._updates.clear()
        self.bytes = 0

    def check(self, after: int) -> None:
        """Raise UpdatesGoneError if an update after number `after` is missing."""
        if 0 <= self.head - after <= len(self._updates):
            return
        oldest = self.head - len(self._updates) + 1
        raise UpdatesGoneError(
            f"What followed update {after} is not kept: the agent has {oldest} to "
            f"{self.head}; subscribe without Last-Event-ID to begin with the task",
            {"oldest": str(oldest), "newest": str(self.head)},
        )

    async def follow(self, after: int) -> AsyncGenerator[Update, None]:
        """Yield the updates after number `after`, then new ones, until `close`.

        Raises UpdatesGoneError.
        """
        while True:
            self.check(after)
            if after < self.head:
                kind, data = self._updates[after - self.head]
                after += 1
                yield kind.FromString(data)
            elif self._is_closed:
                return
            else:
                await self._changed.wait()

    def _wake_readers(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()
