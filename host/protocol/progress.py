"""Owns the reading of the task-progress metadata extension, draft v1.

translate asks it for the percent that a task's metadata states. A2A PR #1448.
"""

from __future__ import annotations

import sys
from typing import Any

URI = "https://a2a-protocol.org/extensions/task-progress/v1"
NUMBERS = (int, float)
MAX_FLOAT = sys.float_info.max


def percent_of(*metadata: dict[str, Any]) -> int | float | None:
    """0-100 from the first metadata that states it, else None; never a guess.

    Takes `aggregate` where it has a total, else the mean of the trackers that
    have one. Agents are not trusted: whatever is not a number counts as unsaid.
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
        shares = [_share(t) for t in trackers] if isinstance(trackers, list) else []
        known = [s for s in shares if s is not None]
        if not known:
            return None
        share = sum(known) / len(known)
    percent = 100 * share if share < 1 else 100.0
    if not percent.is_integer():
        percent = round(percent, 1)
    return int(percent) if percent.is_integer() else percent


def _share(tracker: Any) -> float | None:
    if not isinstance(tracker, dict):
        return None
    done: Any = tracker.get("progress")
    total: Any = tracker.get("total")
    # By its type, as a bool is an int.
    if type(done) not in NUMBERS or type(total) not in NUMBERS:
        return None
    if not (0 <= done <= MAX_FLOAT and 0 < total <= MAX_FLOAT):
        return None
    return float(done) / float(total)
