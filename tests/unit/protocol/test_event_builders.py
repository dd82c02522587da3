"""Tests of the progress and the result in the rows of a task."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec import UNSET

from host.protocol.task_record import TaskRecord
from tests.support.a2a_updates import (
    Json,
    add_updates,
    agent_message,
    chunk,
    rows,
    snapshot,
    status,
)


@pytest.fixture
def record() -> TaskRecord:
    return TaskRecord("carly", "t1")


def user_message(text: str, message_id: str) -> Json:
    return agent_message(text, message_id) | {"role": "ROLE_USER"}


class TestUserMessage:
    """Some agents repeat the user's message in the status of the task."""

    @pytest.mark.parametrize("build", [status, snapshot])
    @pytest.mark.parametrize(
        ("before", "result"),
        [(None, ""), (agent_message("42", "m1"), "42")],
    )
    def test_is_not_the_message_or_the_result(
        self,
        record: TaskRecord,
        build: Callable[[str, Json], Json],
        before: Json | None,
        result: str,
    ) -> None:
        echo = user_message("How much is 6 * 7?", "u1")
        events = add_updates(
            record,
            build("SUBMITTED", echo),
            status("WORKING", before),
            status("WORKING", echo),
            build("COMPLETED", echo),
        )

        assert "How much is 6 * 7?" not in [row.message for row in rows(events)]
        assert rows(events)[-1].result == result

    def test_is_the_question_of_a_task_that_waits(self, record: TaskRecord) -> None:
        question = user_message("Red or blue?", "m1")

        [row] = rows(add_updates(record, status("INPUT_REQUIRED", question)))

        assert row.message == "Red or blue?"


class TestProgress:
    def test_is_null_until_the_agent_reports_it(self, record: TaskRecord) -> None:
        events = add_updates(record, status("SUBMITTED"), status(), status("COMPLETED"))

        assert [row.progress for row in rows(events)] == [None, None, None]

    def test_of_zero_is_kept(self, record: TaskRecord) -> None:
        events = add_updates(record, status(percent=0), status("INPUT_REQUIRED"))

        assert [row.progress for row in rows(events)] == [0, 0]

    def test_is_not_set_to_100_at_the_end(self, record: TaskRecord) -> None:
        events = add_updates(record, status(percent=50), status("COMPLETED"))

        assert rows(events)[-1].progress == 50

    def test_never_decreases(self, record: TaskRecord) -> None:
        percents = (25, 75, 50, 10, 80)

        events = add_updates(
            record,
            *(status(message=agent_message("…", f"m{p}"), percent=p) for p in percents),
        )

        assert [row.progress for row in rows(events)] == [25, 75, 75, 75, 80]

    def test_is_read_from_the_update_or_from_its_message(
        self, record: TaskRecord
    ) -> None:
        events = add_updates(
            record, status(percent=10), status(message=agent_message("…", "m", 20))
        )

        assert [row.progress for row in rows(events)] == [10, 20]


class TestResult:
    def test_joins_the_chunks_of_an_artifact_without_separator(self) -> None:
        record = TaskRecord("carly", "t1")

        add_updates(
            record, status("WORKING"), chunk("Dry and "), chunk("warm.", append=True)
        )
        done = add_updates(record, status("COMPLETED"))

        assert done[-1].result == "Dry and warm."  # type: ignore[union-attr]

    def test_is_the_text_of_the_artifacts(self, record: TaskRecord) -> None:
        events = add_updates(
            record,
            chunk("Three slots", artifact="a1"),
            chunk("One court", artifact="a2"),
            status("COMPLETED", agent_message("Done.", "m1")),
        )

        assert rows(events)[-1].result == "Three slots\n\nOne court"

    def test_is_the_last_message_if_there_is_no_artifact(
        self, record: TaskRecord
    ) -> None:
        [row] = rows(
            add_updates(record, status("COMPLETED", agent_message("Done.", "m1")))
        )

        assert row.result == "Done."

    def test_of_a_replaced_artifact_is_the_new_text(self, record: TaskRecord) -> None:
        events = add_updates(
            record, chunk("draft"), chunk("final"), status("COMPLETED")
        )

        assert rows(events)[-1].result == "final"

    def test_is_empty_without_artifacts_and_messages(self, record: TaskRecord) -> None:
        [row] = rows(add_updates(record, status("COMPLETED")))

        assert row.result == ""

    @pytest.mark.parametrize("state", ["WORKING", "FAILED", "CANCELED", "REJECTED"])
    def test_is_set_only_on_completed(self, record: TaskRecord, state: str) -> None:
        events = add_updates(record, chunk("half of it"), status(state))

        assert rows(events)[-1].result is UNSET
