"""Tests that owners take turns in the queue. Covers host/api/fair_queue.py."""

from __future__ import annotations

import pytest

from host.api.fair_queue import FairQueue


def test_owners_take_turns_and_keep_their_order() -> None:
    queue: FairQueue[int] = FairQueue()
    for number in range(4):
        queue.add("many", number)
    queue.add("one", 10)
    queue.add("two", 20)
    queue.add("two", 21)

    assert [queue.pop() for _ in range(7)] == [
        ("many", 0),
        ("one", 10),
        ("two", 20),
        ("many", 1),
        ("two", 21),
        ("many", 2),
        ("many", 3),
    ]
    assert not queue
    with pytest.raises(KeyError):
        queue.pop()
