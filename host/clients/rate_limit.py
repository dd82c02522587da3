"""Owns how much one agent may bring: a flood is held back, then left out and counted.

Each connection has one; its streams ask it before they decode what has arrived.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import anyio

RATE_PER_S = 2_500  # Updates, for as long as it likes: some 15 % of a core.
BURST_S = 2.0  # A replay after a broken connection is no flood.
PEAK = 4  # Times the rate: a burst in one piece would take the core for 0.1 s.
PATIENCE_S = 2.0
PASS_S = 0.25  # Left out in long runs, so that a few gaps say it.
SKIM_PER_S = 50_000  # Even to count what is left out costs time: at most this much.
MIN_WAIT_S = 0.001


class RateLimiter:
    """Updates that an agent may still send, refilled with time."""

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
        self._short_since: float | None = None
        self._skimming = False

    @property
    def left(self) -> int:
        """Updates that may come at once now."""
        refilled = (self._clock() - self._at) * self._rate_per_s
        return max(0, int(min(self._rate_per_s * BURST_S, self._left + refilled)))

    async def admit(self, count: int) -> int:
        """How many of `count` updates may pass; the others are to be left out.

        Waits where that helps, so that an agent that can wait loses nothing.
        """
        while not self._take(count):
            if self._skimming or self._short_s >= PATIENCE_S:
                self._skimming = True
                await self._sleep(count / SKIM_PER_S)
                return 0
            await self._sleep(max(MIN_WAIT_S, -self._left / self._rate_per_s))
        await self._pace(count)
        return count

    async def _pace(self, count: int) -> None:
        """Spreads a burst: its next part waits for as long as this one is worth."""
        wait_s = self._next_at - self._at
        self._next_at = max(self._next_at, self._at) + count / (PEAK * self._rate_per_s)
        if wait_s > 0:
            await self._sleep(wait_s)

    @property
    def _short_s(self) -> float:
        return self._at - self._short_since if self._short_since is not None else 0.0

    def _take(self, count: int) -> bool:
        now = self._clock()
        full = self._rate_per_s * BURST_S
        self._left = min(full, self._left + (now - self._at) * self._rate_per_s)
        self._at = now
        if self._left >= full / 2:
            self._short_since = None
        if self._left <= (self._rate_per_s * PASS_S if self._skimming else 0):
            if self._short_since is None:
                self._short_since = now
            return False
        self._skimming = False
        self._left -= count  # Below nothing, even: the next one waits the longer.
        return True
