"""Tests that numbered agents number their updates without a hole.

tests/support/delivery_check.py relies on these numbers.
"""

from __future__ import annotations

from tests.support.numbered_agents import Update, updates_of


def test_updates_are_numbered_from_1() -> None:
    assert [update.number for update in updates_of("60")] == list(range(1, 61))


def test_updates_alternate_between_ticks_chunks_and_messages() -> None:
    assert list(updates_of("6")) == [
        Update(1),
        Update(2),
        Update(3),
        Update(4, chunk="4 "),
        Update(5, words="update 5"),
        Update(6),
    ]


def test_ticks_request_has_only_ticks() -> None:
    assert list(updates_of("5 ticks")) == [Update(number) for number in range(1, 6)]


def test_updates_are_limited_to_99() -> None:
    assert [update.number for update in updates_of("1000")][-1] == 99
