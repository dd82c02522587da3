"""Tests that the delivery check finds each kind of error, and no error in a good feed.

The feeds are written by hand. Each task has six updates.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.delivery_check import UpdateCounts, count_updates

Json = dict[str, Any]
COUNT = 6


def message(text: str, role: str = "ROLE_AGENT") -> Json:
    return {"messageId": text, "role": role, "parts": [{"text": text}]}


def agent_task(*words: str, chunks: str = "") -> Json:
    asked = message(str(COUNT), "ROLE_USER")
    return {
        "history": [asked, *map(message, words)],
        "status": {"state": "TASK_STATE_COMPLETED", "message": message("Done.")},
        "artifacts": [{"artifactId": "numbers", "parts": [{"text": chunks}]}],
    }


FULL = agent_task("update 5", chunks="4 ")


def feed(*items: str | int) -> list[Json]:
    """Build events: an int or text is a row, "4 " a chunk, and "|" a later time."""
    events: list[Json] = []
    row: Json = {"kind": "task", "status": "running", "progress": None}
    row |= {"message": None, "message_id": None}
    moment = 0
    for item in items:
        if item == "|":
            moment += 1
            continue
        event: Json
        if item == "gap":
            event = {"kind": "gap"}
        elif isinstance(item, str) and item.endswith(" "):
            event = {"kind": "artifact", "parts": [{"text": item}]}
        else:
            if item == "submitted":
                row = row | {"status": item}
            elif isinstance(item, int):
                row = row | {"status": "running", "progress": item}
            else:
                row = row | {"status": "running", "message": item, "message_id": item}
            event = row
        events.append(event | {"received_at": moment})
    return events


def live(*items: str | int) -> list[Json]:
    """Build events that each have their own time."""
    return feed(*(part for item in items for part in (item, "|")))


def test_complete_feed_has_no_errors() -> None:
    counts = count_updates(
        live("submitted", 1, 2, 3, "4 ", "update 5", 6, "Done."), FULL
    )

    assert counts == UpdateCounts(tasks=1, updates=COUNT + 1, delivered=COUNT + 1)
    assert not counts.wrong


def test_loss_without_a_gap_is_unreported() -> None:
    counts = count_updates(live("submitted", 1, 3, "4 ", "update 5", 6, "Done."), FULL)

    assert (counts.unreported, counts.in_gap, counts.wrong) == (1, 0, 1)


@pytest.mark.parametrize("repair", [("update 5", "4 ", 6), ("4 ", "update 5", 6)])
def test_loss_inside_a_gap_is_allowed_for_any_order_of_the_repair(
    repair: tuple[str | int, ...],
) -> None:
    items = feed("submitted", "|", 1, "|", "gap", *repair, "|", "Done.")

    counts = count_updates(items, FULL)

    assert (counts.in_gap, counts.unreported, counts.gaps) == (2, 0, 1)
    assert not counts.wrong


def test_gap_does_not_cover_losses_after_its_repair() -> None:
    items = feed("submitted", "|", 1, "|", "gap", 3, "|", "update 5", "|", "Done.")

    counts = count_updates(items, agent_task("update 5"))

    assert (counts.in_gap, counts.unreported) == (1, 2)


def test_updates_before_the_host_arrived_are_unseen_and_not_lost() -> None:
    items = feed("update 5", "4 ", 6, "|", "Done.")

    counts = count_updates(items, FULL)

    assert (counts.unseen, counts.unreported, counts.wrong) == (3, 0, 0)


@pytest.mark.parametrize("again", ["4 ", "update 5", 6])
def test_repeated_update_is_duplicated(again: str | int) -> None:
    items: list[str | int] = ["submitted", 1, 2, 3, "4 ", "update 5", 6]
    if again == "update 5":
        again = 5  # This row has nothing new.
    counts = count_updates(live(*items, again, "Done."), FULL)

    assert counts.duplicated == 1
    assert counts.wrong


def test_later_update_before_an_earlier_one_is_reordered() -> None:
    counts = count_updates(
        live("submitted", 1, 3, 2, "4 ", "update 5", 6, "Done."), FULL
    )

    assert (counts.reordered, counts.duplicated, counts.unreported) == (1, 0, 0)


def test_update_that_the_agent_still_has_must_be_in_the_feed() -> None:
    items = feed("submitted", "|", 1, "|", "gap", 6, "|", "Done.")

    counts = count_updates(items, FULL)

    assert (counts.unfetched, counts.unreported) == (2, 0)
    assert counts.wrong == 2


def test_counts_add_up() -> None:
    one = count_updates(live("submitted", 1, 2, 3, "4 ", "update 5", 6, "Done."), FULL)

    assert one + one == UpdateCounts(tasks=2, updates=14, delivered=14)
