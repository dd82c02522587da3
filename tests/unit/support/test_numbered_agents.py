"""What the numbered agents tell is numbered without a hole, in every shape of update.

rounds.py relies on it when it reckons up what arrived.
"""

from __future__ import annotations

from tests.support.numbered_agents import Update, updates_of


def test_sixty_updates_are_numbered_from_1_to_60() -> None:
    assert [update.number for update in updates_of("60")] == list(range(1, 61))


def test_every_fifth_has_words_every_fifth_is_a_chunk_the_others_are_ticks() -> None:
    assert list(updates_of("6")) == [
        Update(1),
        Update(2),
        Update(3),
        Update(4, chunk="4 "),
        Update(5, words="update 5"),
        Update(6),
    ]


def test_where_only_ticks_are_asked_for_there_is_nothing_else() -> None:
    assert list(updates_of("5 ticks")) == [Update(number) for number in range(1, 6)]


def test_there_are_no_more_than_a_percentage_can_number() -> None:
    assert [update.number for update in updates_of("1000")][-1] == 99
