"""Tests which states and artifacts a Task adds to the feed.

host/protocol/reconcile.py through host/protocol/translate.py. test_reconcile.py has
the table of all cases.
"""

from __future__ import annotations

import json

import pytest

from host.protocol.a2a_parser import parse_response
from host.protocol.task_record import TaskRecord
from host.protocol.translate import note_last_message
from tests.support.a2a_updates import (
    LATER,
    add_updates,
    agent_message,
    chunk,
    make_artifact,
    progress,
    rows,
    snapshot,
    status,
    summarize,
)

T0, T1, T2, T3, T4 = (f"2026-11-23T11:00:0{n}.000Z" for n in range(5))
ZERO, ONE = agent_message("zero", "m0"), agent_message("one", "m1")
TWO, THREE = agent_message("two", "m2"), agent_message("three", "m3")


@pytest.fixture
def record() -> TaskRecord:
    return TaskRecord("carly", "t1")


class TestState:
    def test_carries_the_progress_of_updates_without_a_message(
        self, record: TaskRecord
    ) -> None:
        """The SDK merges their metadata into the task's."""
        task = snapshot(
            message=agent_message("Checking…", "m1", 40), metadata=progress(60)
        )

        assert rows(add_updates(record, task))[-1].progress == 60

    def test_is_the_same_if_the_task_has_no_time(self, record: TaskRecord) -> None:
        add_updates(record, status("WORKING", ONE, at=T2))

        assert add_updates(record, snapshot("WORKING", ONE), at=LATER) == []

    def test_state_with_a_later_time_is_only_a_gap(self, record: TaskRecord) -> None:
        """Lost updates leave no other trace."""
        add_updates(record, status("WORKING", ONE, at=T2))

        events = add_updates(
            record, snapshot("WORKING", ONE, at=T3), pending_gap="broke"
        )

        assert summarize(events) == ["gap"]
        again = snapshot("WORKING", ONE, at=T3)
        assert add_updates(record, again, pending_gap="broke") == []

    @pytest.mark.parametrize("end", ["COMPLETED", "FAILED", "CANCELED", "REJECTED"])
    def test_terminal_state_is_added_at_any_time(
        self, record: TaskRecord, end: str
    ) -> None:
        """For example, the clock went back by a day."""
        add_updates(record, status("WORKING", ONE, at=T2))

        [row] = rows(add_updates(record, snapshot(end, at="2026-11-22T11:00:00Z")))

        assert (row.state, row.at) == (f"TASK_STATE_{end}", "2026-11-22T11:00:00.000Z")

    def test_older_state_changes_neither_state_nor_time_of_late_messages(
        self, record: TaskRecord
    ) -> None:
        add_updates(record, status("INPUT_REQUIRED", TWO, at=T3, percent=40))

        events = add_updates(
            record, snapshot("WORKING", ONE, at=T2, metadata=progress(60))
        )

        assert [(row.status, row.message, row.at) for row in rows(events)] == [
            ("input-required", "one", T3),
            ("input-required", "two", T3),
        ]
        assert record.row and record.row.progress == 60


class TestLateMessage:
    """Its message is in the Task, but a newer one came before it."""

    def test_does_not_repeat_the_newer_one(self, record: TaskRecord) -> None:
        add_updates(record, status("WORKING", TWO, at=T2))
        task = snapshot("WORKING", TWO, at=T2, history=[ONE], metadata=progress(60))

        events = add_updates(record, task)

        assert [row.message for row in rows(events)] == ["one", "one"]
        assert [row.progress for row in rows(events)] == [None, 60]
        assert add_updates(record, task) == []

    def test_comes_before_an_open_question(self, record: TaskRecord) -> None:
        add_updates(record, status("INPUT_REQUIRED", TWO, at=T2))
        task = snapshot("INPUT_REQUIRED", TWO, at=T2, history=[ONE])

        events = add_updates(record, task)

        assert summarize(events) == ["running one", "input-required two"]
        assert add_updates(record, task) == []

    def test_is_not_the_result(self, record: TaskRecord) -> None:
        add_updates(record, status("WORKING", TWO, at=T2))
        task = snapshot("WORKING", TWO, at=T2, history=[ONE])
        add_updates(record, task)
        parsed = parse_response(json.dumps(task).encode()).task
        assert parsed
        note_last_message(record, parsed)

        [row] = rows(add_updates(record, status("COMPLETED", at=T3)))

        assert row.result == "two"

    def test_of_an_old_task_is_not_the_last_one(self, record: TaskRecord) -> None:
        add_updates(record, status("WORKING", ONE, at=T1))
        add_updates(record, status("WORKING", TWO, at=T2))
        old = parse_response(json.dumps(snapshot("WORKING", ONE, at=T1)).encode()).task
        assert old
        note_last_message(record, old)

        assert record.last_message and record.last_message.start == "two"


class TestOtherIds:
    """Some agents give a message another id when they store or send it again."""

    def test_history_with_other_ids_adds_no_message_twice(
        self, record: TaskRecord
    ) -> None:
        add_updates(record, status("WORKING", ONE, at=T1))
        add_updates(record, status("WORKING", TWO, at=T2))
        stored = [agent_message(text, f"s-{text}") for text in ("one", "two", "3")]

        events = add_updates(record, snapshot("WORKING", at=T2, history=stored))

        assert [row.message for row in rows(events)] == ["3"]

    def test_message_that_came_again_counts_again(self, record: TaskRecord) -> None:
        add_updates(record, status("WORKING", ONE, at=T1))
        stored = [agent_message("one", "s1"), agent_message("one", "s2")]

        events = add_updates(record, snapshot("WORKING", at=T1, history=stored))

        assert [row.message_id for row in rows(events)] == ["s2"]

    def test_same_words_in_the_same_state_are_no_news(self, record: TaskRecord) -> None:
        add_updates(record, status("WORKING", ONE, at=T1))
        again = snapshot("WORKING", agent_message("one", "again"), at=T2)

        assert add_updates(record, again) == []

    def test_question_with_the_same_words_is_news(self, record: TaskRecord) -> None:
        add_updates(record, status("INPUT_REQUIRED", ONE, at=T1))
        again = snapshot("INPUT_REQUIRED", agent_message("one", "again"), at=T2)

        assert [row.message_id for row in rows(add_updates(record, again))] == ["again"]


class TestArtifact:
    def test_grown_artifact_is_appended_to(self, record: TaskRecord) -> None:
        add_updates(record, status("WORKING", ONE, at=T2))
        add_updates(record, chunk("one"), chunk(" two", append=True))
        task = snapshot(
            "WORKING", ONE, at=T2, artifacts=[make_artifact("a1", "one two 3")]
        )

        assert summarize(add_updates(record, task)) == ["a1 +  3"]
        assert add_updates(record, task) == []

    def test_changed_artifact_replaces_the_old_one(self, record: TaskRecord) -> None:
        add_updates(record, status("WORKING", ONE, at=T2), chunk("draft"))
        task = snapshot("WORKING", ONE, at=T2, artifacts=[make_artifact("a1", "final")])

        assert summarize(add_updates(record, task)) == ["a1 = final"]
        assert add_updates(record, task) == []

    def test_contents_that_alternate_are_added_once_each(
        self, record: TaskRecord
    ) -> None:
        """Each replica of the agent has its own."""
        texts = ["one", "two", "one", "two", "three", "one"]
        tasks = [snapshot(artifacts=[make_artifact("a1", text)]) for text in texts]

        events = [event for task in tasks for event in add_updates(record, task)]

        assert summarize(events) == ["a1 = one", "running -", "a1 = two", "a1 = three"]

    @pytest.mark.parametrize("last", ["a stream", "a terminal Task"])
    def test_earlier_content_can_be_the_last_one(
        self, record: TaskRecord, last: str
    ) -> None:
        for text in ("one", "two"):
            add_updates(record, snapshot(artifacts=[make_artifact("a1", text)]))
        task = snapshot("COMPLETED", artifacts=[make_artifact("a1", "one")])

        events = add_updates(record, chunk("one") if last == "a stream" else task)

        assert summarize(events)[0] == "a1 = one"

    def test_new_artifact_is_added_beside_the_others(self, record: TaskRecord) -> None:
        add_updates(record, chunk("one"))
        task = snapshot(
            artifacts=[make_artifact("a1", "one"), make_artifact("a2", "two")]
        )

        assert summarize(add_updates(record, task)) == ["a2 = two", "running -"]

    def test_artifact_of_an_older_task_replaces_nothing(
        self, record: TaskRecord
    ) -> None:
        add_updates(record, status("WORKING", ONE, at=T2), chunk("final"))
        task_artifacts = [make_artifact("a1", "draft"), make_artifact("a2", "new")]

        events = add_updates(
            record, snapshot("WORKING", ONE, at=T1, artifacts=task_artifacts)
        )

        assert summarize(events) == ["a2 = new"]

    def test_repeated_artifact_in_a_task_counts_as_the_last_one(
        self, record: TaskRecord
    ) -> None:
        task_artifacts = [make_artifact("a1", "draft"), make_artifact("a1", "final")]

        assert summarize(add_updates(record, snapshot(artifacts=task_artifacts))) == [
            "a1 = final",
            "running -",
        ]
