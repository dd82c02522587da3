"""Tests of long messages: a record has the start, and no row is lost or twice."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from host.model.event import Event, TaskEvent, decode, encode
from host.protocol import kept_text, task_record
from host.protocol.artifact_record import RecordMemory
from host.protocol.kept_text import MAX_KEPT_BYTES, SHORT_KEPT_BYTES, keep_text
from host.protocol.task_record import TaskRecord
from tests.support.a2a_updates import (
    Json,
    add_updates,
    agent_message,
    rows,
    snapshot,
    status,
)

LONG = "a report of many lines\n" * 10_000
OTHER = LONG[:-1] + "!"
T1, T2, T3 = (f"2026-11-23T12:00:0{n}.000Z" for n in (1, 2, 3))


@pytest.fixture
def record() -> TaskRecord:
    return TaskRecord("carly", "t1", memory=RecordMemory())


def message(text: str, message_id: str = "m1") -> Json:
    return status("WORKING", agent_message(text, message_id))


def test_first_row_has_the_whole_message_and_the_next_ones_its_start(
    record: TaskRecord,
) -> None:
    updates = [message(LONG), status(percent=10), status(percent=20)]

    first, *others = rows(add_updates(record, *updates))

    assert (first.message, first.shortened) == (LONG, UNSET)
    for row in others:
        assert row.message == LONG[:MAX_KEPT_BYTES]
        assert (row.shortened, row.message_id) == ({"message": len(LONG)}, "m1")


def test_message_up_to_the_limit_is_repeated_whole(record: TaskRecord) -> None:
    text = "x" * MAX_KEPT_BYTES

    *_, last = rows(add_updates(record, message(text), status(percent=10)))

    assert (last.message, last.shortened) == (text, UNSET)


def test_messages_with_equal_starts_and_sizes_are_two(record: TaskRecord) -> None:
    add_updates(record, message(LONG))

    assert add_updates(record, snapshot("WORKING", agent_message(LONG, "m1"))) == []
    [row] = rows(add_updates(record, message(OTHER)))
    assert row.message == OTHER


def test_text_of_the_size_and_content_of_a_start_is_another(
    record: TaskRecord,
) -> None:
    add_updates(record, message(LONG))

    [row] = rows(add_updates(record, message(LONG[:MAX_KEPT_BYTES])))

    assert (row.message, row.shortened) == (LONG[:MAX_KEPT_BYTES], UNSET)


def test_message_that_grows_replaces_its_part(record: TaskRecord) -> None:
    part = {"message": agent_message(LONG, "m1") | {"taskId": "t1"}}
    add_updates(record, status(), part)

    task = snapshot(history=[agent_message(LONG + OTHER, "m1")])
    assert [row.message for row in rows(add_updates(record, task))] == [LONG + OTHER]
    assert add_updates(record, task) == []


def test_result_is_the_start_of_the_last_message_with_its_size(
    record: TaskRecord,
) -> None:
    *_, row = rows(add_updates(record, message(LONG), status("COMPLETED")))

    assert row.result == LONG[:MAX_KEPT_BYTES]
    assert row.shortened == {"result": len(LONG)}


def test_record_from_the_log_knows_the_message(record: TaskRecord) -> None:
    events = add_updates(record, status("WORKING", agent_message(LONG, "m1"), at=T1))
    events += add_updates(record, status(percent=10, at=T2))
    again = TaskRecord("carly", "t1", memory=RecordMemory())
    again.add(decode(encode(event)) for event in events)

    assert again == record
    task = snapshot("WORKING", agent_message(LONG, "m1"), at=T2)
    assert add_updates(again, task) == []
    assert len(add_updates(again, message(OTHER))) == 1


def test_record_without_the_first_row_writes_the_message_again(
    record: TaskRecord,
) -> None:
    *_, last = add_updates(record, message(LONG), status(percent=10))
    trimmed = TaskRecord("carly", "t1", memory=RecordMemory())
    trimmed.add([last])

    [row] = rows(add_updates(trimmed, message(LONG)))
    assert row.message == LONG
    assert add_updates(trimmed, snapshot("WORKING", agent_message(LONG, "m1"))) == []


def test_tasks_of_an_agent_share_a_limit_until_they_are_released(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_record, "MAX_AGENT_TEXTS", 5 * MAX_KEPT_BYTES)
    memory = RecordMemory()
    records = [TaskRecord("carly", f"t{n}", memory=memory) for n in range(50)]
    for one in records:
        one.add(add_updates(TaskRecord("carly", "t1"), message(LONG)))

    lengths = [len(one.row.message or "") for one in records if one.row]
    assert lengths == [MAX_KEPT_BYTES] * 5 + [SHORT_KEPT_BYTES] * 45
    assert memory.texts < 6 * MAX_KEPT_BYTES
    for one in records:
        one.release()
    assert memory.texts == memory.notes == 0


def test_wide_text_counts_what_it_uses_in_memory(record: TaskRecord) -> None:
    add_updates(record, message("\U0001f600" + LONG))

    assert record.memory
    assert record.memory.texts > 3 * MAX_KEPT_BYTES


UPDATES = st.lists(
    st.builds(
        lambda kind, text, message_id, at: (kind, text, message_id, at),
        st.sampled_from(["status", "task", "history", "message", "progress"]),
        st.sampled_from(["abcdefgh", "abcdefghij", "abcdefghik", "abcd", "xabcdefgh"]),
        st.sampled_from(["m1", "m2", ""]),
        st.sampled_from([None, T1, T2, T3]),
    ),
    max_size=12,
)


@settings(derandomize=True, deadline=None, max_examples=600)
@given(UPDATES)
def test_long_messages_make_the_same_rows_as_short_ones(
    choices: list[tuple[str, str, str, str | None]],
) -> None:
    updates = [build_update(*choice, place) for place, choice in enumerate(choices)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept_text, "UNCOUNTED", 2)
        patch.setattr(task_record, "UNCOUNTED", 2)
        patch.setattr(kept_text, "MAX_KEPT_BYTES", 7)
        cut = add_updates(TaskRecord("carly", "t1", memory=RecordMemory()), *updates)
    whole = add_updates(TaskRecord("carly", "t1"), *updates)

    assert [outline(event) for event in cut] == [outline(event) for event in whole]


def build_update(kind: str, text: str, message_id: str, at: str | None, n: int) -> Json:
    told = agent_message(text, message_id)
    if kind == "task":
        return snapshot("WORKING", told, at=at)
    if kind == "history":
        return snapshot("WORKING", None, at=at, history=[told])
    if kind == "message":
        return {"message": told | {"taskId": "t1"}}
    return status("WORKING", told if kind == "status" else None, percent=n, at=at)


def outline(event: Event) -> object:
    """Return a row without what is cut."""
    assert isinstance(event, TaskEvent)
    return (
        event.message and event.message[:7],
        event.message_id,
        event.progress,
        event.at,
    )


def test_part_in_the_middle_of_a_longer_text_is_found() -> None:
    kept = keep_text(LONG, only_start=True)

    assert kept.is_part_of("first: " + LONG + " and more")
    assert not kept.is_part_of("first: " + OTHER + " and more")
    assert not kept.is_part_of(LONG)
    assert kept.contains(LONG[:100_000])
    assert kept.contains(LONG)
    assert not kept.contains(LONG + "x")
