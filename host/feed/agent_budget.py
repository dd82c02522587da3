"""Limits the bytes that one agent may write into the log.

Its updates wait, and none is lost. There are two limits: a rate, and a share of
`keep_bytes` in an hour. Without the second one, a single agent could push the events of
all others out of the log.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import anyio

MIB = 1024 * 1024
BYTES_PER_S, BURST_BYTES = 32 * MIB, 64 * MIB
SHARE = 0.5  # Of `keep_bytes`, in SHARE_S.
SHARE_S = 3_600.0
REPORT_S = 1.0  # A shorter wait is not worth a report.


class _Limit:
    """A token bucket of `burst` bytes that fills up with `rate` bytes a second."""

    def __init__(self, rate: float, burst: float, why: str) -> None:
        self.why = why
        self._rate = rate
        self._burst_s = burst / rate
        self._paid_at = float("-inf")

    def spend(self, size: int, at: float) -> None:
        self._paid_at = max(self._paid_at, at - self._burst_s) + size / self._rate

    def wait_s(self, at: float) -> float:
        return max(0.0, self._paid_at - at)


class AgentBudget:
    """Await `wait`, then call `spend` with the bytes of the next events.

    `unwritten` are the bytes of the agent's events that wait for it.
    """

    def __init__(
        self, keep_bytes: int | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.unwritten = 0
        self._clock = clock
        self._limits = [
            _Limit(
                BYTES_PER_S,
                BURST_BYTES,
                f"it writes more than {BYTES_PER_S // MIB} MiB a second into the log",
            )
        ]
        if keep_bytes is not None:
            share = keep_bytes * SHARE
            why = (
                f"it wrote more than {share / MIB:,.0f} MiB into the log in an hour, "
                "half of keep_bytes: raise keep_bytes"
            )
            self._limits.append(_Limit(share / SHARE_S, share, why))

    def spend(self, size: int) -> None:
        at = self._clock()
        for limit in self._limits:
            limit.spend(size, at)

    async def wait(self) -> None:
        """Wait while the agent has written too much."""
        while (wait_s := self._slowest()[0]) > 0:  # noqa: ASYNC110 - no event
            await anyio.sleep(wait_s)

    @property
    def trouble(self) -> str | None:
        """Why the agent's updates wait now, if they do for long."""
        wait_s, why = self._slowest()
        return f"{why}; its updates wait" if wait_s >= REPORT_S else None

    def _slowest(self) -> tuple[float, str]:
        at = self._clock()
        return max((limit.wait_s(at), limit.why) for limit in self._limits)
