"""Decides how long to wait between two requests to an agent: shortly while it is
active, and ever longer while nothing happens."""

from __future__ import annotations

import math
from collections.abc import Callable

import anyio

ACTIVE_S = 10.0  # After the start, a command or news.
QUIET_FACTOR = 2  # Without news, an agent that is watched is polled half as often.
BACKOFF = 2
IDLE_REQUESTS = 2  # In each idle pause: one for new tasks, one for all else.


class PollingPace:
    """The pauses are `poll_s` while the agent is active, and grow to a share of
    `poll_idle_s` otherwise.

    `is_watched` returns whether the agent has an open task that is not quiet, or a
    reader.
    """

    def __init__(
        self, poll_s: float, poll_idle_s: float, is_watched: Callable[[], bool]
    ) -> None:
        self._poll_s = poll_s
        self._max_pause_s = max(poll_s, poll_idle_s / IDLE_REQUESTS)
        self._is_watched = is_watched
        self._pause_s = poll_s
        self._news_at = -math.inf
        self._woken = anyio.Event()

    @property
    def is_active(self) -> bool:
        return self._has_news or self._is_watched()

    @property
    def _has_news(self) -> bool:
        return anyio.current_time() - self._news_at <= ACTIVE_S

    def note_news(self) -> None:
        """Poll fast for a while: a command was given, or something happened."""
        self._news_at = anyio.current_time()
        self.wake()

    def wake(self) -> None:
        """End the present pause, but not before `poll_s`."""
        self._woken.set()

    async def wait(self, least_s: float = 0) -> None:
        """Wait until the next request is due, for at least `least_s`."""
        least_s = min(max(least_s, self._poll_s), self._max_pause_s)
        await anyio.sleep(least_s)
        self._pause_s = self._next_pause(least_s)
        self._woken = anyio.Event()
        with anyio.move_on_after(self._pause_s - least_s):
            await self._woken.wait()

    def _next_pause(self, least_s: float) -> float:
        if self._has_news:
            return least_s
        if self._is_watched():
            return min(max(least_s, self._poll_s * QUIET_FACTOR), self._max_pause_s)
        return min(max(least_s, self._pause_s * BACKOFF), self._max_pause_s)
