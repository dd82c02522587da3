"""Tests the pauses between the polls of an agent, with short settings."""

from __future__ import annotations

import anyio
import pytest

from host.discovery.polling_pace import PollingPace

FAST_S, IDLE_S = 0.01, 0.4


class Clock:
    def __init__(self) -> None:
        self.watched = False
        self.pauses: list[float] = []

    async def poll(self, pace: PollingPace, times: int) -> list[float]:
        """Wait so often. Return the pauses, in units of FAST_S."""
        pauses = []
        for _ in range(times):
            began = anyio.current_time()
            await pace.wait()
            pauses.append((anyio.current_time() - began) / FAST_S)
        return pauses


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> PollingPace:
    return PollingPace(FAST_S, IDLE_S, lambda: clock.watched)


async def test_pauses_are_short_after_news(clock: Clock, pace: PollingPace) -> None:
    pace.note_news()

    assert pace.is_active
    assert min(await clock.poll(pace, 5)) < 2


async def test_pauses_double_up_to_half_of_the_idle_pause(
    clock: Clock, pace: PollingPace
) -> None:
    """The other half is for a request that does not look for new tasks."""
    pauses = await clock.poll(pace, 7)

    assert not pace.is_active
    for pause, least in zip(pauses, (2, 4, 8, 16, 20, 20, 20), strict=True):
        assert pause >= least


async def test_watched_agent_is_polled_at_twice_the_shortest_pause(
    clock: Clock, pace: PollingPace
) -> None:
    clock.watched = True

    pauses = await clock.poll(pace, 5)

    assert 2 <= min(pauses) < 3


async def test_a_reader_or_a_command_ends_a_long_pause(clock: Clock) -> None:
    pace = PollingPace(FAST_S, 3600, lambda: clock.watched)
    await clock.poll(pace, 1)
    pace._pause_s = 3600
    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(clock.poll, pace, 1)
            await anyio.sleep(3 * FAST_S)
            clock.watched = True
            pace.wake()
    assert pace.is_active


async def test_pause_of_a_slow_poll_is_longer_than_the_setting(
    clock: Clock, pace: PollingPace
) -> None:
    began = anyio.current_time()
    await pace.wait(10 * FAST_S)

    assert anyio.current_time() - began >= 10 * FAST_S
