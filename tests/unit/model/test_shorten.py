"""Tests of host/model/shorten.py: long texts of a row are cut."""

from __future__ import annotations

from sys import getsizeof

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.model.board import (
    MAX_FINISHED_BYTES,
    MAX_OPEN_BYTES,
    MAX_TEXT_BYTES,
    SHORT_TEXT_BYTES,
    Board,
)
from host.model.event import TaskEvent, decode, encode
from host.model.shorten import count_bytes, cut_text, shorten_row

NOW = "2026-11-23T12:00:00.000Z"


def task(
    message: str | None = None, result: str | None = None, task_id: str = "t1"
) -> TaskEvent:
    return TaskEvent(
        agent="carly",
        task_id=task_id,
        context_id=None,
        status="running" if result is None else "completed",
        state="TASK_STATE_WORKING",
        progress=None,
        message=message,
        result=msgspec.UNSET if result is None else result,
        at=None,
        received_at=NOW,
    )


@settings(derandomize=True, deadline=None)
@given(st.text('aä\u20ac\U0001f600"\n', max_size=20), st.integers(0, 60))
def test_text_is_cut_at_the_last_character_that_fits(text: str, size: int) -> None:
    cut = cut_text(text, size)

    assert text.startswith(cut)
    assert count_bytes(cut) <= size
    if cut != text:
        assert count_bytes(text[: len(cut) + 1]) > size


@pytest.mark.parametrize("wide", ["ä", "\u20ac", "\U0001f600"])
def test_wide_characters_stay_whole(wide: str) -> None:
    width = len(wide.encode())

    assert cut_text("a" + wide * 9, 2 * width) == "a" + wide


def test_short_row_is_the_same_object() -> None:
    row = task("ü" * 5, "ü" * 5)

    assert shorten_row(row, 10) is row


def test_shortened_row_has_the_sizes_of_the_whole_texts() -> None:
    row = shorten_row(shorten_row(task("m" * 100, "ü" * 100), 50), 10)

    assert (row.message, row.result) == ("m" * 10, "ü" * 5)
    assert row.shortened == {"message": 100, "result": 200}
    assert decode(encode(row)) == row


def test_board_shortens_the_rows_of_old_logs() -> None:
    board = Board()
    large = "\u20ac" * MAX_TEXT_BYTES
    board.fold(task("Done.", large))

    [row] = board.tasks()
    assert row.result == "\u20ac" * (MAX_TEXT_BYTES // 3)
    assert row.shortened == {"result": 3 * MAX_TEXT_BYTES}
    assert row.message == "Done."


def test_board_restores_and_shortens_the_checkpoint_of_an_old_version() -> None:
    row = msgspec.to_builtins(task("m", "r" * (MAX_TEXT_BYTES * 2)))
    saved = msgspec.json.encode({"agents": [], "tasks": [row]})
    board = Board()

    board.restore(saved)

    assert len(board.checkpoint()) < len(saved)
    [restored] = board.tasks()
    assert restored.shortened == {"result": MAX_TEXT_BYTES * 2}


def test_board_counts_wide_texts_as_they_are_in_memory() -> None:
    board, text = Board(), "\U0001f600" + "x" * (MAX_TEXT_BYTES - 4)
    for number in range(MAX_OPEN_BYTES // MAX_TEXT_BYTES):
        board.fold(task(text, task_id=f"t{number}"))

    short = [row for row in board.open.values() if row.shortened]
    assert len(short) > len(board.open) * 0.7


def test_board_drops_the_oldest_finished_tasks_with_long_texts() -> None:
    board, text = Board(), "r" * MAX_TEXT_BYTES
    count = MAX_FINISHED_BYTES // (getsizeof(None) + getsizeof(text))

    for number in range(count + 9):
        board.fold(task(None, text, f"t{number}"))
        board.fold(task(None, text, f"t{number}"))

    assert next(row.task_id for row in board.tasks()) == "t9"
    assert len(board.finished) == count


def test_board_keeps_all_open_tasks_but_only_the_start_of_their_texts() -> None:
    board, text = Board(), "m" * MAX_TEXT_BYTES
    count = MAX_OPEN_BYTES // MAX_TEXT_BYTES + 100

    for number in range(count):
        board.fold(task(text, None, f"t{number}"))
        board.fold(task(text, None, f"t{number}"))

    rows = list(board.tasks())
    assert len(rows) == count
    assert len(rows[0].message or "") == MAX_TEXT_BYTES
    assert len(rows[-1].message or "") == SHORT_TEXT_BYTES
    for number in range(count):
        board.fold(task("short", None, f"t{number}"))
    board.fold(task(text, None, "later"))
    assert len(list(board.tasks())[-1].message or "") == MAX_TEXT_BYTES
