"""What becomes of an A2A update: which events, in which order, and what never.

host/protocol/translate.py, fed with the JSON that agents send.
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
    chunk,
    holding,
    in_brief,
    rows,
    said,
    snapshot,
    status,
    take,
)


@pytest.fixture
def record() -> TaskRecord:
    return TaskRecord("carly", "t1")


def test_a_status_update_becomes_one_whole_row(record: TaskRecord) -> None:
    update = status(message=said("Checking…", "m1", 25), at="2026-11-23T11:59:59Z")

    assert take(record, update) == [
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
def test_each_state_has_the_lessons_word_or_a2as(
    record: TaskRecord, state: str, word: str
) -> None:
    [row] = rows(take(record, status(state)))

    assert (row.status, row.state) == (word, f"TASK_STATE_{state}")


def test_an_artifact_chunk_becomes_an_artifact_event(record: TaskRecord) -> None:
    take(record, chunk("one"))

    assert take(record, chunk("two", "three", append=True, last=True)) == [
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


def test_a_first_chunk_has_nothing_to_be_appended_to(record: TaskRecord) -> None:
    """Some agents send even the first one with `append`."""
    events = take(record, chunk("one", append=True), chunk("two", append=True))

    assert in_brief(events) == ["a1 = one", "a1 + two"]


def test_a_whole_artifact_that_comes_twice_is_told_once(record: TaskRecord) -> None:
    whole, nameless = chunk("one", last=True), chunk("one", last=True)
    nameless["artifactUpdate"]["artifact"]["name"] = ""

    assert in_brief(take(record, whole, whole, nameless)) == ["a1 = one"]
    assert in_brief(take(record, chunk("two", last=True))) == ["a1 = two"]


def test_equal_chunks_one_after_the_other_are_both_told(record: TaskRecord) -> None:
    first, again = chunk("ha"), chunk("ha", append=True)

    assert len(take(record, first, again, again)) == 3


def test_an_answer_without_a_task_becomes_a_message_event() -> None:
    message = said("Hello", "m1") | {"contextId": "c7"}
    update = parse_response(json.dumps({"message": message}).encode())
    assert update.message

    assert build_message_event("carly", update.message, NOW) == MessageEvent(
        agent="carly",
        context_id="c7",
        message_id="m1",
        message="Hello",
        received_at=NOW,
    )


def test_the_same_status_twice_is_one_event(record: TaskRecord) -> None:
    update = status(message=said("Checking…", "m1", 25), at="2026-11-23T11:59:59Z")
    take(record, update)

    assert take(record, update, at=LATER) == []


@pytest.mark.parametrize("at", [True, False], ids=["with times", "without"])
def test_a_stream_that_is_played_again_from_its_start_tells_nothing(
    record: TaskRecord, at: bool
) -> None:
    stream = [
        status(
            state,
            said(f"{n}", f"m{n}"),
            at=f"2026-11-23T12:00:0{n}Z" if at else None,
        )
        for n, state in enumerate(["SUBMITTED", "WORKING", "WORKING"])
    ]
    take(record, *stream)

    assert take(record, *stream, at=LATER) == []


def test_words_that_are_said_again_later_are_told_again(record: TaskRecord) -> None:
    ask, work = said("Send?", "m1"), said("Sending…", "m2")
    take(
        record,
        status("INPUT_REQUIRED", ask, at="2026-11-23T12:00:01Z"),
        status("WORKING", work, at="2026-11-23T12:00:02Z"),
    )

    events = take(record, status("INPUT_REQUIRED", ask, at="2026-11-23T12:00:03Z"))

    assert in_brief(events) == ["input-required Send?"]


def test_an_agent_whose_clock_goes_back_a_day_is_followed_as_it_speaks(
    record: TaskRecord,
) -> None:
    take(record, status(message=said("one", "m1"), at="2026-11-23T12:00:00Z"))

    [row] = rows(
        take(record, status(message=said("two", "m2"), at="2026-11-22T12:00:00Z"))
    )

    assert (row.message, row.at) == ("two", "2026-11-22T12:00:00.000Z")


def test_a_time_without_a_zone_is_told_in_utc(record: TaskRecord) -> None:
    [row] = rows(take(record, status(at="2026-11-23T12:00:00.123456")))

    assert row.at == "2026-11-23T12:00:00.123Z"


@pytest.mark.parametrize("update", [status(), chunk("one"), snapshot()])
def test_an_update_of_another_task_is_left_to_that_tasks_follower(
    update: Json,
) -> None:
    assert take(TaskRecord("carly", "t2"), update) == []


@pytest.mark.parametrize("update", [status(), chunk("one")])
def test_an_update_that_names_no_task_is_the_followed_ones(
    record: TaskRecord, update: Json
) -> None:
    [fields] = update.values()

    [event] = take(record, {next(iter(update)): {**fields, "taskId": ""}})

    assert isinstance(event, TaskEvent | ArtifactEvent)
    assert event.task_id == "t1"


def test_a_tick_without_words_keeps_the_words_before(record: TaskRecord) -> None:
    take(record, status(message=said("Checking…", "m1", 25)))

    [row] = rows(take(record, status(percent=30)))

    assert (row.progress, row.message) == (30, "Checking…")


def test_words_of_one_state_are_not_put_into_the_mouth_of_the_next(
    record: TaskRecord,
) -> None:
    take(record, status(message=said("Checking…", "m1")))

    [row] = rows(take(record, status("FAILED")))

    assert row.message is None


QUESTION = {
    **said("Send them?", "m1"),
    "parts": [{"text": "Send them?"}, {"data": {"choices": ["Send", "Don't send"]}}],
}


def test_a_question_has_the_choices_that_it_offers_until_it_is_answered(
    record: TaskRecord,
) -> None:
    updates = (
        status("INPUT_REQUIRED", QUESTION),
        status("INPUT_REQUIRED", at=LATER),
        status("WORKING", said("Sending…", "m2")),
    )
    told = [row.choices for update in updates for row in rows(take(record, update))]
    assert told == [["Send", "Don't send"], ["Send", "Don't send"], UNSET]


@pytest.mark.parametrize(
    "choices", ["Send", [], [1, "a"], [""], ["a" * 101], ["a"] * 13, {"a": 1}]
)
def test_choices_that_no_button_could_show_are_not_told(
    record: TaskRecord, choices: object
) -> None:
    parts = [{"text": "Send them?"}, {"data": {"choices": choices}}, {"data": "a"}]
    [row] = take(record, status("INPUT_REQUIRED", said("", "m1") | {"parts": parts}))
    assert isinstance(row, TaskEvent)
    assert row.choices is UNSET


def test_a_context_once_told_stays(record: TaskRecord) -> None:
    take(record, status())

    [row] = rows(take(record, status("COMPLETED", context="")))

    assert row.context_id == "c1"


class TestProgress:
    def test_is_null_while_the_agent_does_not_say(self, record: TaskRecord) -> None:
        events = take(record, status("SUBMITTED"), status(), status("COMPLETED"))

        assert [row.progress for row in rows(events)] == [None, None, None]

    def test_of_nothing_is_not_forgotten(self, record: TaskRecord) -> None:
        events = take(record, status(percent=0), status("INPUT_REQUIRED"))

        assert [row.progress for row in rows(events)] == [0, 0]

    def test_is_not_made_100_by_the_end_of_a_task(self, record: TaskRecord) -> None:
        events = take(record, status(percent=50), status("COMPLETED"))

        assert rows(events)[-1].progress == 50

    def test_never_goes_back(self, record: TaskRecord) -> None:
        told = (25, 75, 50, 10, 80)

        events = take(
            record, *(status(message=said("…", f"m{p}"), percent=p) for p in told)
        )

        assert [row.progress for row in rows(events)] == [25, 75, 75, 75, 80]

    def test_is_read_from_the_update_or_from_its_message(
        self, record: TaskRecord
    ) -> None:
        events = take(record, status(percent=10), status(message=said("…", "m", 20)))

        assert [row.progress for row in rows(events)] == [10, 20]


class TestResult:
    def test_joins_the_chunks_of_one_artifact_as_they_were_sent(self) -> None:
        record = TaskRecord("carly", "t1")

        take(record, status("WORKING"), chunk("Dry and "), chunk("warm.", append=True))
        done = take(record, status("COMPLETED"))

        assert done[-1].result == "Dry and warm."  # type: ignore[union-attr]

    def test_is_the_text_of_the_artifacts(self, record: TaskRecord) -> None:
        events = take(
            record,
            chunk("Three slots", artifact="a1"),
            chunk("One court", artifact="a2"),
            status("COMPLETED", said("Done.", "m1")),
        )

        assert rows(events)[-1].result == "Three slots\n\nOne court"

    def test_is_the_last_words_where_there_is_no_artifact(
        self, record: TaskRecord
    ) -> None:
        [row] = rows(take(record, status("COMPLETED", said("Done.", "m1"))))

        assert row.result == "Done."

    def test_of_a_replaced_artifact_is_the_new_text(self, record: TaskRecord) -> None:
        events = take(record, chunk("draft"), chunk("final"), status("COMPLETED"))

        assert rows(events)[-1].result == "final"

    def test_is_empty_where_there_is_nothing(self, record: TaskRecord) -> None:
        [row] = rows(take(record, status("COMPLETED")))

        assert row.result == ""

    @pytest.mark.parametrize("state", ["WORKING", "FAILED", "CANCELED", "REJECTED"])
    def test_is_there_on_completed_only(self, record: TaskRecord, state: str) -> None:
        events = take(record, chunk("half of it"), status(state))

        assert rows(events)[-1].result is UNSET


@pytest.mark.parametrize("state", ["COMPLETED", "FAILED", "CANCELED", "REJECTED"])
@pytest.mark.parametrize(
    "late",
    [
        status(message=said("still here", "m9")),
        status("COMPLETED", said("done after all", "m9")),
        status("FAILED"),
        chunk("late"),
        snapshot("FAILED", history=[said("late", "m9")]),
    ],
    ids=["words", "completed", "failed", "artifact", "snapshot"],
)
def test_after_the_first_terminal_state_an_agent_has_nothing_to_add(
    record: TaskRecord, state: str, late: Json
) -> None:
    take(record, status(state))

    assert take(record, late) == []


@pytest.mark.parametrize("state", ["INPUT_REQUIRED", "AUTH_REQUIRED", "UNSPECIFIED"])
def test_a_task_that_waits_is_not_over(record: TaskRecord, state: str) -> None:
    take(record, status(state))

    assert [row.status for row in rows(take(record, status()))] == ["running"]


def test_translating_leaves_what_is_known_alone(record: TaskRecord) -> None:
    take(record, chunk("one"), status(message=said("one", "m1")))
    before = deepcopy(record)
    task = snapshot(
        "COMPLETED", history=[said("two", "m2")], artifacts=[holding("a1", "one", "2")]
    )

    translate(record, parse_response(json.dumps(task).encode()), NOW)

    assert record == before


def test_a_task_that_its_agent_forgot_ends_as_error_and_keeps_its_progress(
    record: TaskRecord,
) -> None:
    take(record, status(message=said("Checking…", "m1", 25), at=NOW))

    row = build_lost_row(record, "carly restarted and no longer knows this task", LATER)

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
