"""Owns the reading of the task-progress metadata extension, draft v1.

translate asks it for the percent that a task's metadata states. A2A PR #1448.
"""

from __future__ import annotations

import sys
from typing import Any

URI = "https://a2a-protocol.org/extensions/task-progress/v1"


def percent_of(*metadata: dict[str, Any]) -> int | float | None:
    """0-100 from the first metadata that states it, else None; never a guess.

    Takes `aggregate` where it has a total, else the mean of the trackers that
    have one. Agents are not trusted: whatever is not a number counts as unsaid.
    """
    for entry in metadata:
        for key, value in entry.items():
            if (key == URI or key.endswith("task-progress/v1")) and isinstance(
                value, dict
            ):
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
    percent = round(100 * min(max(share, 0.0), 1.0), 1)
    return int(percent) if percent.is_integer() else percent


def _share(tracker: Any) -> float | None:
    if not isinstance(tracker, dict):
        return None
    done, total = _number(tracker.get("progress")), _number(tracker.get("total"))
    return done / total if done is not None and total else None


def _number(value: Any) -> float | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if usable and 0 <= value <= sys.float_info.max else None
