"""How many inputs each property of this folder tries, and how many it has tried.

A few in every run of the tests, the same each time; COURTSIDE_FUZZ of them, new each
time, by scripts/fuzz, which prints the count.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any

from hypothesis import given, settings

QUICK = 60
MANY = int(os.environ.get("COURTSIDE_FUZZ", "0"))
tried: Counter[str] = Counter()

Test = Callable[..., None]


def fuzz(*strategies: Any) -> Callable[[Test], Test]:
    """A property of what these strategies give."""

    def decorate(test: Test) -> Test:
        @wraps(test)
        def counted(*values: Any, **more: Any) -> None:
            tried[test.__name__] += 1
            test(*values, **more)

        chosen = settings(max_examples=MANY or QUICK, derandomize=not MANY)
        whole: Test = chosen(given(*strategies)(counted))  # type: ignore[no-untyped-call]
        return whole

    return decorate
