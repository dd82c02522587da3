"""Tests when a gap is written, with and without numbers of resumable streams.

host/protocol/gaps.py through translate.py. docs/resumable-stream.md specifies numbers.
"""

from __future__ import annotations

import pytest
from msgspec import UNSET

from host.model.event import ArtifactEvent, GapEvent, TaskEvent
from host.protocol.event_builders import build_lost_row
from host.protocol.gaps import build_gap
from host.protocol.task_record import TaskRecord
from tests.support.a2a_updates import (
    LATER,
    NOW,
    Json,
    add_sequence,
    add_updates,
    chunk,
    rows,
    snapshot,
    status,
    summarize,
)


@pytest.fixture
def record() -> TaskRecord:
    return TaskRecord("carly", "t1")


def test_gap_names_the_task_the_reason_and_the_count(record: TaskRecord) -> None:
    add_updates(record, status())

    assert build_gap(record, "the stream broke", LATER, 3) == GapEvent(
        agent="carly",
        task_id="t1",
        context_id="c1",
        message="the stream broke",
        missing=3,
        received_at=LATER,
    )
    assert build_gap(record, "the stream broke", LATER).missing is UNSET


class TestPendingGap:
    """A gap says that updates without numbers may be missing."""

    WHY = "the stream broke"

    @pytest.mark.parametrize(
        "update", [status("INPUT_REQUIRED"), chunk("two", append=True)]
    )
    def test_new_update_comes_after_the_gap(
        self, record: TaskRecord, update: Json
    ) -> None:
        add_updates(record, status(), chunk("one"))

        gap, _ = add_updates(record, update, pending_gap=self.WHY)

        assert gap == build_gap(record, self.WHY, NOW)

    @pytest.mark.parametrize("update", [status(), chunk("one")])
    def test_known_update_needs_no_gap(self, record: TaskRecord, update: Json) -> None:
        add_updates(record, status(), chunk("one"))

        assert add_updates(record, update, pending_gap=self.WHY) == []

    @pytest.mark.parametrize("update", [status(), chunk("one"), snapshot()])
    def test_new_task_needs_no_gap(self, record: TaskRecord, update: Json) -> None:
        assert len(add_updates(record, update, pending_gap=self.WHY)) == 1


class TestNumbered:
    """A number identifies an update. Its content does not matter."""

    WHY = "the stream broke"

    def test_events_have_the_numbers_of_their_updates(self, record: TaskRecord) -> None:
        row, artifact = add_updates(
            record, add_sequence(1, status()), add_sequence(2, chunk("one"))
        )

        assert isinstance(row, TaskEvent) and isinstance(artifact, ArtifactEvent)
        assert (row.sequence, artifact.sequence, record.sequence) == (1, 2, 2)

    @pytest.mark.parametrize("number", [1, 2])
    @pytest.mark.parametrize("update", [status("AUTH_REQUIRED"), chunk("new")])
    def test_number_that_the_feed_has_adds_nothing(
        self, record: TaskRecord, number: int, update: Json
    ) -> None:
        add_updates(record, add_sequence(1, status()), add_sequence(2, chunk("one")))

        assert (
            add_updates(record, add_sequence(number, update), pending_gap=self.WHY)
            == []
        )

    @pytest.mark.parametrize("update", [status(), chunk("one")])
    def test_next_number_needs_no_gap(self, record: TaskRecord, update: Json) -> None:
        """This holds even if its content equals that of the previous update."""
        add_updates(record, add_sequence(1, update))

        assert (
            len(add_updates(record, add_sequence(2, update), pending_gap=self.WHY)) == 1
        )

    @pytest.mark.parametrize(
        ("number", "brief", "why"),
        [
            (3, "gap of 1", "update 2 is missing"),
            (9, "gap of 7", "updates 2 to 8 are missing"),
        ],
    )
    def test_skipped_numbers_are_counted_by_a_gap(
        self, record: TaskRecord, number: int, brief: str, why: str
    ) -> None:
        add_updates(record, add_sequence(1, status()))

        gap, event = add_updates(record, add_sequence(number, status("AUTH_REQUIRED")))

        assert summarize([gap, event]) == [brief, "auth-required -"]
        assert isinstance(gap, GapEvent)
        assert gap.message == why

    def test_gap_counts_the_numbers_before_the_first_update(
        self, record: TaskRecord
    ) -> None:
        events = add_updates(record, add_sequence(5, status()))

        assert summarize(events) == ["gap of 4", "running -"]

    def test_task_without_numbers_is_counted_from_its_first_number(
        self, record: TaskRecord
    ) -> None:
        add_updates(record, status())

        events = add_updates(
            record, add_sequence(5, chunk("one")), add_sequence(6, status("FAILED"))
        )

        assert summarize(events) == ["a1 = one", "error -"]

    @pytest.mark.parametrize("number", [1, 5])
    def test_end_counts_although_the_agent_lost_count(
        self, record: TaskRecord, number: int
    ) -> None:
        add_updates(record, add_sequence(5, status()))

        events = add_updates(record, add_sequence(number, status("FAILED")))

        assert summarize(events) == ["gap", "error -"]

    def test_row_of_a_lost_task_has_no_number(self, record: TaskRecord) -> None:
        [row] = rows(add_updates(record, add_sequence(5, status())))

        assert build_lost_row(row, "gone", LATER).sequence is UNSET
