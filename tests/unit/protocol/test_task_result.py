"""Tests of host/protocol/task_result.py: the result of a completed task has a limit."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from host.protocol.task_record import TaskRecord
from host.protocol.task_result import MAX_RESULT_ARTIFACTS, MAX_RESULT_BYTES
from tests.support.a2a_updates import Json, add_updates, agent_message, chunk, status


def complete(*updates: Json, message: str = "Done.") -> tuple[object, object, object]:
    """Return the result, `shortened` and `result_artifacts` of the last row."""
    record = TaskRecord("carly", "t1")
    events = add_updates(
        record, *updates, status("COMPLETED", agent_message(message, "m1"))
    )
    row = events[-1]
    return row.result, row.shortened, row.result_artifacts  # type: ignore[union-attr]


def test_result_at_the_limit_is_whole() -> None:
    text = "ü" * (MAX_RESULT_BYTES // 2)

    assert complete(chunk(text)) == (text, UNSET, UNSET)


def test_long_result_is_cut_at_a_character_and_names_its_artifact() -> None:
    text = "a" + "\u20ac" * MAX_RESULT_BYTES

    result, shortened, artifacts = complete(chunk(text, artifact="report"))

    assert result == text[: 1 + (MAX_RESULT_BYTES - 1) // 3]
    assert shortened == {"result": len(text.encode())}
    assert artifacts == ["report"]


@pytest.mark.parametrize("size", [1, 1_000, MAX_RESULT_BYTES])
def test_chunks_and_artifacts_count_together(size: int) -> None:
    count = MAX_RESULT_BYTES // size + 1

    result, shortened, artifacts = complete(
        chunk("x" * size, artifact="a1"),
        chunk("y" * size, artifact="a2"),
        *[chunk("y" * size, artifact="a2", append=True)] * (count - 1),
    )

    whole = "x" * size + "\n\n" + "y" * size * count
    assert result == whole[:MAX_RESULT_BYTES]
    assert shortened == {"result": len(whole)}
    assert artifacts == ["a1", "a2"]


def test_only_some_of_many_artifacts_are_named() -> None:
    many = [chunk("x" * 9_000, artifact=f"a{number}") for number in range(99)]

    result, shortened, artifacts = complete(*many)

    assert len(str(result)) == MAX_RESULT_BYTES
    assert shortened == {"result": 99 * 9_000 + 98 * 2}
    assert artifacts == [f"a{number}" for number in range(MAX_RESULT_ARTIFACTS)]


def test_long_last_message_is_cut_and_the_row_has_all_of_it() -> None:
    text = "m" * (MAX_RESULT_BYTES + 1)

    result, shortened, artifacts = complete(message=text)

    assert (result, shortened) == (text[:-1], {"result": len(text)})
    assert artifacts == []
