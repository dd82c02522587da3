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
    percent = round(100 * share, 1) if share < 1 else 100.0
    return int(percent) if percent.is_integer() else percent


def _share(tracker: Any) -> float | None:
    if not isinstance(tracker, dict):
        return None
    done, total = _number(tracker.get("progress")), _number(tracker.get("total"))
    return done / total if done is not None and total else None


def _number(value: Any) -> float | None:
    # By its type, as a bool is an int.
    usable = type(value) in NUMBERS and 0 <= value <= MAX_FLOAT
    return float(value) if usable else None
