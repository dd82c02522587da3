"""Tests the pauses that agents ask for with 429 and Retry-After."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from host.clients.throttle import COMMAND_WAIT_S, MAX_PAUSE_S, PAUSE_S, Throttle
from host.errors import AgentUnreachable

START_S = 1_800_000_000.0


class Clock:
    def __init__(self) -> None:
        self.at_s = START_S

    def __call__(self) -> float:
        return self.at_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> Throttle:
    return Throttle("carly", clock)


@pytest.mark.parametrize(
    ("status", "headers", "pause_s"),
    [
        (429, {"retry-after": "17"}, 17),
        (503, {"retry-after": " 3 "}, 3),
        (500, {"retry-after": "2.5"}, 2.5),
        (429, {"retry-after": formatdate(START_S + 40, usegmt=True)}, 40),
        (429, {"retry-after": "86400"}, MAX_PAUSE_S),
        (429, {"retry-after": "inf"}, MAX_PAUSE_S),
        (429, {"retry-after": "0"}, 1),
        (429, {"retry-after": "nan"}, 1),
        (429, {"retry-after": "-5"}, 1),
        (429, {"retry-after": formatdate(START_S - 40, usegmt=True)}, 1),
        (429, {"retry-after": "soon"}, PAUSE_S[0]),
        (429, {}, PAUSE_S[0]),
        (503, {}, 0),
        (200, {"retry-after": "17"}, 0),
    ],
)
def test_pause_is_as_long_as_the_agent_asks(
    throttle: Throttle, status: int, headers: dict[str, str], pause_s: float
) -> None:
    demand = throttle.check(status, headers)

    assert throttle.remaining_s == pytest.approx(pause_s)
    assert (demand is not None) == (pause_s > 0)
    assert bool(throttle.trouble) == (pause_s > 0)


def test_date_is_relative_to_the_clock_of_the_agent(throttle: Throttle) -> None:
    """The agent's clock is an hour ahead."""
    date = formatdate(START_S + 3600, usegmt=True)
    retry_after = formatdate(START_S + 3625, usegmt=True)

    throttle.check(429, {"retry-after": retry_after, "date": date})

    assert throttle.remaining_s == pytest.approx(25)


def test_pauses_grow_without_retry_after(clock: Clock, throttle: Throttle) -> None:
    pauses = []
    for _ in range(7):
        throttle.check(429, {})
        pauses.append(throttle.remaining_s)
        clock.at_s += pauses[-1]

    assert pauses == pytest.approx([*PAUSE_S, PAUSE_S[-1], PAUSE_S[-1]])


def test_shorter_demand_does_not_end_a_longer_pause(throttle: Throttle) -> None:
    throttle.check(429, {"retry-after": "60"})
    throttle.check(429, {"retry-after": "1"})

    assert throttle.remaining_s == pytest.approx(60)


async def test_command_fails_during_a_long_pause_and_names_the_wait(
    throttle: Throttle,
) -> None:
    throttle.check(429, {"retry-after": "42"})

    with pytest.raises(AgentUnreachable, match=r"carly.* 42 s more.*HTTP 429"):
        await throttle.admit_command()


async def test_command_waits_for_the_end_of_a_short_pause(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    throttle = Throttle("carly")
    throttle.check(429, {"retry-after": "1"})
    assert throttle.remaining_s <= COMMAND_WAIT_S

    await throttle.admit_command()

    assert throttle.remaining_s == 0
