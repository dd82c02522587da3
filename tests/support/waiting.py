"""Waits for a condition, and fails with a clear message when it takes too long."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any, TypeVar, overload

import anyio

T = TypeVar("T")
TIMEOUT_S = 60.0
"""Three times what the slowest condition needs on a busy machine with two cores."""
POLL_S = 0.02


class WaitTimeout(AssertionError):
    """A condition did not become true in time."""

    def __init__(self, what: str, timeout_s: float, last: object) -> None:
        super().__init__(f"waited {timeout_s:g} s for {what}; last result: {last!r}")


@overload
async def wait_until(
    condition: Callable[[], Awaitable[T]],
    what: str,
    timeout_s: float = TIMEOUT_S,
    *,
    poll_s: float = POLL_S,
) -> T: ...


@overload
async def wait_until(
    condition: Callable[[], T],
    what: str,
    timeout_s: float = TIMEOUT_S,
    *,
    poll_s: float = POLL_S,
) -> T: ...


async def wait_until(
    condition: Callable[[], Any],
    what: str,
    timeout_s: float = TIMEOUT_S,
    *,
    poll_s: float = POLL_S,
) -> Any:
    """Return the first true result of `condition`, which may be an async function.

    Raises WaitTimeout at the deadline, with `what` and the last result.
    """
    result = None
    with anyio.move_on_after(timeout_s):
        while True:
            result = condition()
            if isawaitable(result):
                result = await result
            if result:
                return result
            await anyio.sleep(poll_s)
    raise WaitTimeout(what, timeout_s, result)


def wait_until_sync(
    condition: Callable[[], T], what: str, timeout_s: float = TIMEOUT_S
) -> T:
    """Do the same in a plain test, without an event loop."""
    deadline = time.monotonic() + timeout_s
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise WaitTimeout(what, timeout_s, result)
        time.sleep(POLL_S)
    return result
