"""A timeout that does not count the time while a step waits for a person."""

from __future__ import annotations

import math

import anyio


class PausableTimeout:
    """Cancels `scope` after `seconds`, not counting the time while it is paused."""

    def __init__(self, seconds: float) -> None:
        self._left_s = seconds
        self._resumed_at: float | None = None
        self.scope = anyio.CancelScope()

    def resume(self) -> None:
        if self._resumed_at is None:
            self._resumed_at = anyio.current_time()
            self.scope.deadline = self._resumed_at + self._left_s

    def pause(self) -> None:
        if self._resumed_at is not None:
            self._left_s -= anyio.current_time() - self._resumed_at
            self._resumed_at = None
            self.scope.deadline = math.inf
