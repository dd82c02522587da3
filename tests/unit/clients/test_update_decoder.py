"""Tests of host/clients/bindings/update_decoder.py: what is decoded in a thread."""

from __future__ import annotations

import threading
import time

import pytest

from host.clients.bindings.update_decoder import LARGE, SLOW_S, UpdateDecoder
from host.clients.loop_budget import BURST_S, SHARE, LoopBudget
from host.clients.rate_limit import RateLimiter


def decode_slowly(cpu_s: float) -> int:
    """Use so much CPU time. Return the thread's id."""
    begun = time.thread_time()
    while time.thread_time() < begun + cpu_s:
        pass
    return threading.get_ident()


async def test_large_item_is_decoded_in_a_thread_within_the_budget() -> None:
    budget = LoopBudget()
    decoder = UpdateDecoder(RateLimiter(), budget)
    here = threading.get_ident()

    assert await decoder.run(threading.get_ident, LARGE) == here
    begun = time.perf_counter()
    assert await decoder.run(lambda: decode_slowly(2 * BURST_S), LARGE + 1) != here

    assert time.perf_counter() - begun >= BURST_S / SHARE
    assert budget.wait_s == 0


@pytest.mark.parametrize(("cpu_s", "is_slow"), [(0.0, False), (2 * SLOW_S, True)])
async def test_all_items_are_decoded_in_a_thread_after_a_slow_one(
    cpu_s: float, is_slow: bool
) -> None:
    decoder = UpdateDecoder(RateLimiter(), LoopBudget())
    here = threading.get_ident()

    assert await decoder.run(lambda: decode_slowly(cpu_s), 1) == here

    assert (await decoder.run(threading.get_ident, 1) != here) == is_slow
