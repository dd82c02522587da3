"""The decorator of all fuzz tests. It sets and counts the number of inputs.

A normal test run tries a few inputs, always the same. scripts/fuzz tries
COURTSIDE_FUZZ inputs, which are new in each run, and prints the counts.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import wraps
from typing import Any

from hypothesis import Phase, given, settings

QUICK = 60
MANY = int(os.environ.get("COURTSIDE_FUZZ", "0"))
tried: Counter[str] = Counter()
longest_s: defaultdict[str, float] = defaultdict(float)
"""The CPU time of the longest step of the event loop, for the tests that measure it."""

Test = Callable[..., None]


def fuzz(*strategies: Any, inputs: int = 1) -> Callable[[Test], Test]:
    """Run the test with values of these strategies. Each time it tries `inputs`."""

    def decorate(test: Test) -> Test:
        @wraps(test)
        def counted(*values: Any, **more: Any) -> None:
            tried[more.get("name", test.__name__)] += inputs
            test(*values, **more)

        chosen = settings(max_examples=MANY or QUICK, derandomize=not MANY)
        if inputs > 1:
            # A failure names its input. To find a smaller seed would be no help.
            chosen = settings(chosen, deadline=None, phases=[Phase.generate])
        whole: Test = chosen(given(*strategies)(counted))  # type: ignore[no-untyped-call]
        return whole

    return decorate
