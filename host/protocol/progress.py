"""Reads a task's progress from its metadata: A2A's task-progress extension, draft v1.

A2A PR #1448.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Any

URI = "https://a2a-protocol.org/extensions/task-progress/v1"
NUMBERS = (int, float)
MAX_FLOAT = sys.float_info.max


def percent_of(*metadata: dict[str, Any]) -> int | float | None:
    """Return 0 to 100 from the first metadata that has it, or None.

    Uses `aggregate` if it has a total, otherwise the mean of the trackers that have
    one. Ignores values that are not numbers.
    """
    for entry in metadata:
        for key, value in entry.items():
            if key.endswith("task-progress/v1") and isinstance(value, dict):
                percent = _percent(value)
                if percent is not None:
                    return percent
    return None


def _percent(progress: dict[str, Any]) -> int | float | None:
    share = _share(progress.get("aggregate"))
    if share is None:
        trackers = progress.get("trackers")
        found = [_share(t) for t in trackers] if isinstance(trackers, list) else []
        shares = [share for share in found if share is not None]
        if not shares:
            return None
        share = sum(shares) / len(shares)
    return _round_to_percent(share)


@lru_cache(1_024)
def _round_to_percent(share: float) -> int | float:
    """Cached, because many updates have the same share."""
    percent = round(100 * share, 1) if share < 1 else 100.0
    return int(percent) if percent.is_integer() else percent


def _share(tracker: Any) -> float | None:
    if not isinstance(tracker, dict):
        return None
    done: Any = tracker.get("progress")
    total: Any = tracker.get("total")
    # isinstance() would accept a bool.
    if type(done) not in NUMBERS or type(total) not in NUMBERS:
        return None
    if not (0 <= done <= MAX_FLOAT and 0 < total <= MAX_FLOAT):
        return None
    return float(done) / float(total)
