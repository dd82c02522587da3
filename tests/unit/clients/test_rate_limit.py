"""Tests how many updates of one agent pass the rate limit, with a fake clock."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.clients.rate_limit import (
    BURST_S,
    PATIENCE_S,
    PEAK,
    SKIM_PER_S,
    RateLimiter,
)

RATE = 1_000


class Clock:
    """Sleeping advances it at once."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def create_limiter(clock: Clock) -> RateLimiter:
    return RateLimiter(RATE, clock, clock.sleep)


async def test_burst_passes_in_parts_so_that_others_run() -> None:
    clock = Clock()
    limiter = create_limiter(clock)

    admitted = [await limiter.admit(100) for _ in range(int(RATE * BURST_S / 100))]

    assert sum(admitted) == RATE * BURST_S
    assert 0 < clock.now - 100 <= BURST_S / PEAK


async def test_updates_at_the_rate_do_not_wait() -> None:
    clock = Clock()
    limiter = create_limiter(clock)

    for n in range(1_000):
        clock.now = max(clock.now, 100 + n * 0.05)
        assert await limiter.admit(50) == 50
        assert clock.now == 100 + n * 0.05


async def test_faster_updates_wait_and_are_not_dropped() -> None:
    clock = Clock()
    limiter = create_limiter(clock)
    for _ in range(int(RATE * (BURST_S + PATIENCE_S) / 100) - 1):
        assert await limiter.admit(100) == 100

    assert clock.now - 100 <= PATIENCE_S


async def test_long_flood_is_dropped_down_to_the_rate() -> None:
    clock = Clock()
    limiter = create_limiter(clock)

    admitted = 0
    while clock.now < 160:
        admitted += await limiter.admit(100)

    assert abs(admitted - RATE * (60 + BURST_S)) <= 0.02 * RATE * 60


async def test_flood_is_dropped_in_few_long_runs() -> None:
    clock = Clock()
    limiter = create_limiter(clock)

    runs, before = 0, 100
    while clock.now < 160:
        now = await limiter.admit(100)
        runs += before > 0 and now == 0
        before = now

    assert runs <= 60 * 5


async def test_all_updates_pass_after_a_flood() -> None:
    clock = Clock()
    limiter = create_limiter(clock)
    while clock.now < 130:
        await limiter.admit(100)

    clock.now += BURST_S

    assert await limiter.admit(100) == 100
    assert "1000 updates a second" in limiter.why


@given(st.lists(st.tuples(st.integers(1, 100), st.floats(0, 0.2)), max_size=300))
def test_at_most_the_rate_and_a_burst_pass(asked: list[tuple[int, float]]) -> None:
    async def run() -> None:
        clock = Clock()
        limiter = create_limiter(clock)
        admitted = 0
        for count, pause_s in asked:
            passed = await limiter.admit(count)
            assert passed in (0, count)
            admitted += passed
            clock.now += pause_s
        assert admitted <= RATE * (BURST_S + clock.now - 100) + 100

    anyio.run(run)


async def test_agent_waits_while_its_dropped_updates_are_counted() -> None:
    clock = Clock()
    limiter = create_limiter(clock)
    while await limiter.admit(100):
        pass

    begun_at, dropped = clock.now, 0
    while await limiter.admit(100) == 0:
        dropped += 100

    assert dropped > 0
    assert clock.now - begun_at == pytest.approx(dropped / SKIM_PER_S)
