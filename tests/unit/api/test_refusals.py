"""Tests what the log says about refused clients: one line per address and minute.

Covers host/api/refusals.py.
"""

from __future__ import annotations

import pytest

from host.api.refusals import MAX_WARNED_ADDRESSES, WARNING_EVERY_S, Warnings


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_address_gets_one_line_per_minute(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    warnings = Warnings(clock)
    for _ in range(500):
        warnings.warn("192.0.2.1", "bad request", 400)
    warnings.warn("192.0.2.2", "bad request", 400)
    clock.now += WARNING_EVERY_S
    warnings.warn("192.0.2.1", "bad request", 400)

    assert [record.getMessage() for record in caplog.records] == [
        'client=192.0.2.1 refused=400 cause="bad request"',
        'client=192.0.2.2 refused=400 cause="bad request"',
        'client=192.0.2.1 refused=400 cause="bad request" unlogged=499',
    ]


def test_network_of_an_ipv6_client_shares_its_line(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    warnings = Warnings(clock)
    for number in range(100):
        warnings.warn(f"2001:db8::{number:x}", "bad request", 400)

    assert len(caplog.records) == 1


def test_many_addresses_get_a_limited_number_of_lines(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    warnings = Warnings(clock)
    for number in range(5_000):
        warnings.warn(f"10.0.{number // 256}.{number % 256}", "bad request", 400)

    assert len(caplog.records) == MAX_WARNED_ADDRESSES

    clock.now += WARNING_EVERY_S
    warnings.warn("192.0.2.9", "bad request", 400)

    assert len(caplog.records) == MAX_WARNED_ADDRESSES + 1
