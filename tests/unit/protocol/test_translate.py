"""Tests which events an A2A update becomes, and in which order.

host/protocol/translate.py, with the JSON that agents send.
"""

from __future__ import annotations

import json
from copy import deepcopy

import pytest
from msgspec import UNSET

from host.model.event import ArtifactEvent, MessageEvent, TaskEvent
from host.protocol.a2a_parser import parse_response
from host.protocol.event_builders import build_lost_row, build_message_event
from host.protocol.task_record import TaskRecord
from host.protocol.translate import translate
from tests.support.a2a_updates import (
    LATER,
    NOW,
    Json,
    add_updates,
    agent_message,
    chunk,
    make_artifact,
    rows,
    snapshot,
    status,
    summarize,
)


@pytest.fixture
def record() -> TaskRecord:
    return TaskRecord("carly", "t1")


def test_status_update_becomes_a_whole_row(record: TaskRecord) -> None:
    update = status(
        message=agent_message("Checking…", "m1", 25), at="2026-11-23T11:59:59Z"
    )

    assert add_updates(record, update) == [
        TaskEvent(
            agent="carly",
            task_id="t1",
            context_id="c1",
            status="running",
            state="TASK_STATE_WORKING",
            progress=25,
            message="Checking…",
            message_id="m1",
            at="2026-11-23T11:59:59.000Z",
            received_at=NOW,
        )
    ]


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ("SUBMITTED", "submitted"),
        ("WORKING", "running"),
        ("COMPLETED", "completed"),
        ("FAILED", "error"),
        ("CANCELED", "cancelled"),
        ("REJECTED", "rejected"),
        ("INPUT_REQUIRED", "input-required"),
        ("AUTH_REQUIRED", "auth-required"),
        ("UNSPECIFIED", "unknown"),
    ],
)
def test_each_state_has_a_status_word(
    record: TaskRecord, state: str, word: str
) -> None:
    [row] = rows(add_updates(record, status(state)))

    assert (row.status, row.state) == (word, f"TASK_STATE_{state}")


def test_artifact_chunk_becomes_an_artifact_event(record: TaskRecord) -> None:
    add_updates(record, chunk("one"))

    assert add_updates(record, chunk("two", "three", append=True, last=True)) == [
        ArtifactEvent(
            agent="carly",
            task_id="t1",
            context_id="c1",
            artifact_id="a1",
            name="result",
            parts=[{"text": "two"}, {"text": "three"}],
            append=True,
            last_chunk=True,
            received_at=NOW,
        )
    ]


def test_first_chunk_does_not_append(record: TaskRecord) -> None:
    """Some agents also set `append` in the first chunk."""
    events = add_updates(record, chunk("one", append=True), chunk("two", append=True))

    assert summarize(events) == ["a1 = one", "a1 + two"]


def test_response_without_a_task_becomes_a_message_event() -> None:
    message = agent_message("Hello", "m1") | {"contextId": "c7"}
    update = parse_response(json.dumps({"message": message}).encode())
    assert update.message

    assert build_message_event("carly", update.message, NOW) == MessageEvent(
        agent="carly",
        context_id="c7",
        message_id="m1",
        message="Hello",
        received_at=NOW,
    )


def test_updates_keep_their_order_if_the_clock_goes_back_a_day(
    record: TaskRecord,
) -> None:
    add_updates(
        record, status(message=agent_message("one", "m1"), at="2026-11-23T12:00:00Z")
    )

    [row] = rows(
        add_updates(
            record,
            status(message=agent_message("two", "m2"), at="2026-11-22T12:00:00Z"),
        )
    )

    assert (row.message, row.at) == ("two", "2026-11-22T12:00:00.000Z")


def test_time_without_a_zone_is_utc(record: TaskRecord) -> None:
    [row] = rows(add_updates(record, status(at="2026-11-23T12:00:00.123456")))

    assert row.at == "2026-11-23T12:00:00.123Z"


@pytest.mark.parametrize("update", [status(), chunk("one"), snapshot()])
def test_update_of_another_task_is_ignored(
    update: Json,
) -> None:
    assert add_updates(TaskRecord("carly", "t2"), update) == []


@pytest.mark.parametrize("update", [status(), chunk("one")])
def test_update_without_a_task_id_belongs_to_the_followed_task(
    record: TaskRecord, update: Json
) -> None:
    [fields] = update.values()

    [event] = add_updates(record, {next(iter(update)): {**fields, "taskId": ""}})

    assert isinstance(event, TaskEvent | ArtifactEvent)
    assert event.task_id == "t1"


def test_status_without_a_message_keeps_the_message_before(record: TaskRecord) -> None:
    add_updates(record, status(message=agent_message("Checking…", "m1", 25)))

    [row] = rows(add_updates(record, status(percent=30)))

    assert (row.progress, row.message) == (30, "Checking…")


def test_new_state_without_a_message_has_no_message(
    record: TaskRecord,
) -> None:
    add_updates(record, status(message=agent_message("Checking…", "m1")))

    [row] = rows(add_updates(record, status("FAILED")))

    assert row.message is None


QUESTION = {
    **agent_message("Send them?", "m1"),
    "parts": [{"text": "Send them?"}, {"data": {"choices": ["Send", "Don't send"]}}],
}


def test_question_has_its_choices_until_it_is_answered(
    record: TaskRecord,
) -> None:
    updates = (
        status("INPUT_REQUIRED", QUESTION),
        status("INPUT_REQUIRED", at=LATER),
        status("WORKING", agent_message("Sending…", "m2")),
    )
    choices = [
        row.choices for update in updates for row in rows(add_updates(record, update))
    ]
    assert choices == [["Send", "Don't send"], ["Send", "Don't send"], UNSET]


@pytest.mark.parametrize(
    "choices", ["Send", [], [1, "a"], [""], ["a" * 101], ["a"] * 13, {"a": 1}]
)
def test_choices_that_fit_no_button_are_left_out(
    record: TaskRecord, choices: object
) -> None:
    parts = [{"text": "Send them?"}, {"data": {"choices": choices}}, {"data": "a"}]
    [row] = add_updates(
        record, status("INPUT_REQUIRED", agent_message("", "m1") | {"parts": parts})
    )
    assert isinstance(row, TaskEvent)
    assert row.choices is UNSET


def test_context_id_stays(record: TaskRecord) -> None:
    add_updates(record, status())

    [row] = rows(add_updates(record, status("COMPLETED", context="")))

    assert row.context_id == "c1"


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED", "CANCELED", "REJECTED"])
@pytest.mark.parametrize(
    "late",
    [
        status(message=agent_message("still here", "m9")),
        status("COMPLETED", agent_message("done after all", "m9")),
        status("FAILED"),
        chunk("late"),
        snapshot("FAILED", history=[agent_message("late", "m9")]),
    ],
    ids=["words", "completed", "failed", "artifact", "snapshot"],
)
def test_nothing_is_added_after_the_first_terminal_state(
    record: TaskRecord, state: str, late: Json
) -> None:
    add_updates(record, status(state))

    assert add_updates(record, late) == []


@pytest.mark.parametrize("state", ["INPUT_REQUIRED", "AUTH_REQUIRED", "UNSPECIFIED"])
def test_task_that_needs_input_has_not_ended(record: TaskRecord, state: str) -> None:
    add_updates(record, status(state))

    assert [row.status for row in rows(add_updates(record, status()))] == ["running"]


def test_translating_does_not_change_the_record(record: TaskRecord) -> None:
    add_updates(record, chunk("one"), status(message=agent_message("one", "m1")))
    before = deepcopy(record)
    task = snapshot(
        "COMPLETED",
        history=[agent_message("two", "m2")],
        artifacts=[make_artifact("a1", "one", "2")],
    )

    translate(record, parse_response(json.dumps(task).encode()), NOW)

    assert record == before


def test_lost_task_ends_as_error_and_keeps_its_progress(
    record: TaskRecord,
) -> None:
    [row] = rows(
        add_updates(
            record, status(message=agent_message("Checking…", "m1", 25), at=NOW)
        )
    )

    row = build_lost_row(row, "carly restarted and no longer knows this task", LATER)

    assert row == TaskEvent(
        agent="carly",
        task_id="t1",
        context_id="c1",
        status="error",
        state="TASK_STATE_FAILED",
        progress=25,
        message="carly restarted and no longer knows this task",
        at=None,
        received_at=LATER,
    )
