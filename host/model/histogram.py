"""Owns what is counted while it happens, at the cost of an addition.

The feed counts with it on the path of every event; metrics.py shows the sums.
"""

from __future__ import annotations

from bisect import bisect_left


class DurationHistogram:
    """How long something took each time, by buckets that end at `bounds_s`."""

    def __init__(self, *bounds_s: float) -> None:
        self.bounds_s = bounds_s
        self.counts = [0] * (len(bounds_s) + 1)  # The last is past every bound.
        self.sum_s = 0.0

    def add(self, duration_s: float) -> None:
        self.counts[bisect_left(self.bounds_s, duration_s)] += 1
        self.sum_s += duration_s
