"""Limits the updates of one agent: holds back a flood, then drops and counts it.

The agent's streams call it before they decode the updates that arrived.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import anyio

RATE_PER_S = 2_500  # Updates, without a time limit: some 15 % of a core.
BURST_S = 2.0  # A replay after a broken connection is not a flood.
PEAK = 4  # Times the rate. A burst in one piece would block the core for 0.1 s.
PATIENCE_S = 2.0
MIN_RUN_S = 0.25  # Drops updates in long runs, so that few gaps report them.
SKIM_PER_S = 50_000  # Counting dropped updates takes time, so it has a rate too.
MIN_WAIT_S = 0.001


class RateLimiter:
    """A token bucket: the updates that an agent may still send, refilled over time."""

    def __init__(
        self,
        rate_per_s: float = RATE_PER_S,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self.why = f"it sends more than {rate_per_s:g} updates a second"
        self._rate_per_s = rate_per_s
        self._clock = clock
        self._sleep = sleep
        self._left = rate_per_s * BURST_S
        self._at = self._next_at = clock()
        self._empty_since: float | None = None
        self._is_dropping = False

    @property
    def left(self) -> int:
        """Updates that may arrive at once now."""
        refilled = (self._clock() - self._at) * self._rate_per_s
        return max(0, int(min(self._rate_per_s * BURST_S, self._left + refilled)))

    async def admit(self, count: int) -> int:
        """Return how many of `count` updates may pass: all, or none.

        Waits first, so that an agent that slows down loses nothing.
        """
        while not self._take(count):
            if self._is_dropping or self._empty_s >= PATIENCE_S:
                self._is_dropping = True
                await self._sleep(count / SKIM_PER_S)
                return 0
            await self._sleep(max(MIN_WAIT_S, -self._left / self._rate_per_s))
        await self._spread(count)
        return count

    async def _spread(self, count: int) -> None:
        """Spread a burst: the next part waits until this one fits the peak rate."""
        wait_s = self._next_at - self._at
        self._next_at = max(self._next_at, self._at) + count / (PEAK * self._rate_per_s)
        if wait_s > 0:
            await self._sleep(wait_s)

    @property
    def _empty_s(self) -> float:
        return self._at - self._empty_since if self._empty_since is not None else 0.0

    def _take(self, count: int) -> bool:
        now = self._clock()
        full = self._rate_per_s * BURST_S
        self._left = min(full, self._left + (now - self._at) * self._rate_per_s)
        self._at = now
        if self._left >= full / 2:
            self._empty_since = None
        if self._left <= (self._rate_per_s * MIN_RUN_S if self._is_dropping else 0):
            if self._empty_since is None:
                self._empty_since = now
            return False
        self._is_dropping = False
        self._left -= count  # May fall below zero: then the next update waits longer.
        return True
