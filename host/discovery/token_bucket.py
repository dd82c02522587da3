"""Limits how often something is done: a rate, after a burst."""

from __future__ import annotations

import time


class TokenBucket:
    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._left = burst
        self._at = time.monotonic()

    def take(self) -> bool:
        """Return whether it may be done once more now."""
        now = time.monotonic()
        refilled = self._left + (now - self._at) * self._per_s
        self._left, self._at = min(refilled, self._burst), now
        if self._left < 1:
            return False
        self._left -= 1
        return True
