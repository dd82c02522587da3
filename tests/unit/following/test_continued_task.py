"""A task whose reply started another one no longer waits, until its agent says so."""

from __future__ import annotations

from msgspec import UNSET

from host.model.event import TaskEvent, decode, encode
from host.protocol.a2a_objects import StreamResponse
from host.protocol.task_record import TaskRecord
from host.protocol.translate import translate
from tests.support.scripted_agent import make_update, status, task

AT = "2026-11-28T10:00:00.000Z"


def ask() -> TaskRecord:
    """Return the record of a task that waits, and that t2 continues."""
    record = TaskRecord("carly", "t1")
    record.add(translate(record, status("INPUT_REQUIRED", "Which?").response, AT))
    assert record.row
    fields = {name: getattr(record.row, name) for name in record.row.__struct_fields__}
    record.add([TaskEvent(**(fields | {"continued_by": "t2"}))])
    return record


def take(record: TaskRecord, response: StreamResponse) -> list[TaskEvent]:
    events = translate(record, response, AT)
    record.add(events)
    return [event for event in events if isinstance(event, TaskEvent)]


def test_link_is_in_the_feeds_json() -> None:
    row = ask().row
    assert row

    assert not row.needs_input
    assert decode(encode(row)) == row
    assert b'"continued_by":"t2"' in encode(row)


def test_same_question_again_keeps_the_link() -> None:
    record = ask()

    assert take(record, status("INPUT_REQUIRED", "Which?").response) == []
    assert take(record, task("INPUT_REQUIRED", "Which?").response) == []
    later = {"state": "TASK_STATE_INPUT_REQUIRED", "timestamp": "2026-11-28T11:00:00Z"}
    for body in (
        {"task": {"id": "t1", "status": later}},
        {"statusUpdate": {"taskId": "t1", "contextId": "c1", "status": later}},
    ):
        take(record, make_update(body).response)
        assert record.row
        assert not record.row.needs_input


def test_another_question_waits_for_an_answer() -> None:
    for text, state in (("Really?", "INPUT_REQUIRED"), ("Which?", "AUTH_REQUIRED")):
        record = ask()
        (row,) = take(record, status(state, text).response)

        assert row.continued_by is UNSET
        assert row.needs_input


def test_working_task_has_no_link() -> None:
    record = ask()
    take(record, status("WORKING", "On it").response)
    take(record, status("INPUT_REQUIRED", "Which?").response)
    row = record.row

    assert row
    assert row.continued_by is UNSET


def test_every_row_names_the_task_that_it_continues() -> None:
    record = TaskRecord("carly", "t1", continues="t0")
    rows = take(record, status("WORKING", "one").response)
    rows += take(record, status("COMPLETED", "two").response)

    assert [row.continues for row in rows] == ["t0", "t0"]
    restored = TaskRecord("carly", "t1")
    restored.add(rows[:1])
    assert restored.continues == "t0"
