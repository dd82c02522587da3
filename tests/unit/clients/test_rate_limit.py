"""What one agent may bring, against a clock that the test holds."""

from __future__ import annotations

import anyio
from hypothesis import given
from hypothesis import strategies as st

from host.clients.rate_limit import BURST_S, PATIENCE_S, PEAK, RateLimiter

RATE = 1_000


class Clock:
    """Sleeping moves it; nothing waits."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def budget(clock: Clock) -> RateLimiter:
    return RateLimiter(RATE, clock, clock.sleep)


async def test_a_burst_passes_in_portions_so_that_others_have_a_turn() -> None:
    clock = Clock()
    spent = budget(clock)

    admitted = [await spent.admit(100) for _ in range(int(RATE * BURST_S / 100))]

    assert sum(admitted) == RATE * BURST_S
    assert 0 < clock.now - 100 <= BURST_S / PEAK


async def test_what_comes_at_the_rate_never_waits() -> None:
    clock = Clock()
    spent = budget(clock)

    for n in range(1_000):
        clock.now = max(clock.now, 100 + n * 0.05)
        assert await spent.admit(50) == 50
        assert clock.now == 100 + n * 0.05


async def test_what_comes_faster_is_held_back_and_nothing_left_out() -> None:
    clock = Clock()
    spent = budget(clock)
    for _ in range(int(RATE * (BURST_S + PATIENCE_S) / 100) - 1):
        assert await spent.admit(100) == 100

    assert clock.now - 100 <= PATIENCE_S


async def test_a_flood_that_goes_on_is_left_out_down_to_the_rate() -> None:
    clock = Clock()
    spent = budget(clock)

    admitted = 0
    while clock.now < 160:
        admitted += await spent.admit(100)

    assert abs(admitted - RATE * (60 + BURST_S)) <= 0.02 * RATE * 60


async def test_it_is_left_out_in_long_runs_so_that_a_few_gaps_say_it() -> None:
    clock = Clock()
    spent = budget(clock)

    runs, before = 0, 100
    while clock.now < 160:
        now = await spent.admit(100)
        runs += before > 0 and now == 0
        before = now

    assert runs <= 60 * 5


async def test_after_the_flood_everything_passes_again() -> None:
    clock = Clock()
    spent = budget(clock)
    while clock.now < 130:
        await spent.admit(100)

    clock.now += BURST_S

    assert await spent.admit(100) == 100
    assert "1000 updates a second" in spent.why


@given(st.lists(st.tuples(st.integers(1, 100), st.floats(0, 0.2)), max_size=300))
def test_never_more_than_the_rate_and_a_burst(asked: list[tuple[int, float]]) -> None:
    async def run() -> None:
        clock = Clock()
        spent = budget(clock)
        admitted = 0
        for count, pause_s in asked:
            got = await spent.admit(count)
            assert got in (0, count)
            admitted += got
            clock.now += pause_s
        assert admitted <= RATE * (BURST_S + clock.now - 100) + 100

    anyio.run(run)
