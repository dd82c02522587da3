"""A histogram of durations, for `/metrics`. Adding a duration is cheap."""

from __future__ import annotations

from bisect import bisect_left


class DurationHistogram:
    """Counts durations in buckets with the upper bounds `bounds_s`."""

    def __init__(self, *bounds_s: float) -> None:
        self.bounds_s = bounds_s
        self.counts = [0] * (len(bounds_s) + 1)  # The last bucket has no upper bound.
        self.sum_s = 0.0

    def add(self, duration_s: float) -> None:
        self.counts[bisect_left(self.bounds_s, duration_s)] += 1
        self.sum_s += duration_s
