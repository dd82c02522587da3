"""Keeps the log within its limits: it drops the oldest events."""

from __future__ import annotations

from ..log.contract import Log
from ..model.debug_state import LogState


class Retention:
    """`state` has the figures since the last `trim`."""

    def __init__(
        self, keep_events: int, keep_s: float | None, keep_bytes: int | None
    ) -> None:
        self._keep = (keep_events, keep_s, keep_bytes)
        self.state = LogState(0, keep_bytes, 0)

    async def is_due(self, log: Log) -> bool:
        """Return whether a trim may drop events now."""
        keep_events, keep_s, keep_bytes = self._keep
        kept, size = await log.bounds(), await log.size()
        self.state = LogState(size, keep_bytes, self.state.dropped)
        is_full = keep_bytes is not None and size > keep_bytes
        return keep_s is not None or is_full or kept.last - kept.first >= keep_events

    async def trim(self, log: Log) -> None:
        dropped = self.state.dropped
        while count := await log.trim(*self._keep):
            dropped += count
        self.state = LogState(await log.size(), self._keep[2], dropped)
