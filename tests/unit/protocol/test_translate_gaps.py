"""Where a gap stands, and what the numbers of the resumable-stream extension spare.

host/protocol/translate.py; docs/resumable-stream.md is the specification of the
numbers.
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
    chunk,
    in_brief,
    numbered,
    snapshot,
    status,
    take,
)


@pytest.fixture
def record() -> TaskRecord:
    return TaskRecord("carly", "t1")


def test_a_gap_names_the_task_says_why_and_how_many(record: TaskRecord) -> None:
    take(record, status())

    assert build_gap(record, "the stream broke", LATER, 3) == GapEvent(
        agent="carly",
        task_id="t1",
        context_id="c1",
        message="the stream broke",
        missing=3,
        received_at=LATER,
    )
    assert build_gap(record, "the stream broke", LATER).missing is UNSET


class TestUnwatched:
    """What came unseen has no number: a gap says that it may have."""

    WHY = "the stream broke"

    @pytest.mark.parametrize(
        "update", [status("INPUT_REQUIRED"), chunk("two", append=True)]
    )
    def test_what_is_new_stands_behind_a_gap(
        self, record: TaskRecord, update: Json
    ) -> None:
        take(record, status(), chunk("one"))

        gap, _ = take(record, update, unwatched=self.WHY)

        assert gap == build_gap(record, self.WHY, NOW)

    @pytest.mark.parametrize("update", [status(), chunk("one")])
    def test_what_is_known_needs_none(self, record: TaskRecord, update: Json) -> None:
        take(record, status(), chunk("one"))

        assert take(record, update, unwatched=self.WHY) == []

    @pytest.mark.parametrize("update", [status(), chunk("one"), snapshot()])
    def test_the_first_sight_of_a_task_needs_none(
        self, record: TaskRecord, update: Json
    ) -> None:
        assert len(take(record, update, unwatched=self.WHY)) == 1


class TestNumbered:
    """Its number says what an update is, whatever it holds."""

    WHY = "the stream broke"

    def test_updates_carry_their_numbers_into_the_feed(
        self, record: TaskRecord
    ) -> None:
        row, artifact = take(record, numbered(1, status()), numbered(2, chunk("one")))

        assert isinstance(row, TaskEvent) and isinstance(artifact, ArtifactEvent)
        assert (row.sequence, artifact.sequence, record.sequence) == (1, 2, 2)

    @pytest.mark.parametrize("number", [1, 2])
    @pytest.mark.parametrize("update", [status("AUTH_REQUIRED"), chunk("new")])
    def test_a_number_that_was_told_is_told_no_more(
        self, record: TaskRecord, number: int, update: Json
    ) -> None:
        take(record, numbered(1, status()), numbered(2, chunk("one")))

        assert take(record, numbered(number, update), unwatched=self.WHY) == []

    @pytest.mark.parametrize("update", [status(), chunk("one")])
    def test_the_next_number_is_told_without_a_gap(
        self, record: TaskRecord, update: Json
    ) -> None:
        """Also where it holds what the one before held."""
        take(record, numbered(1, update))

        assert len(take(record, numbered(2, update), unwatched=self.WHY)) == 1

    @pytest.mark.parametrize(
        ("number", "brief", "why"),
        [
            (3, "gap of 1", "update 2 is missing"),
            (9, "gap of 7", "updates 2 to 8 are missing"),
        ],
    )
    def test_a_number_too_far_stands_behind_a_gap_that_counts(
        self, record: TaskRecord, number: int, brief: str, why: str
    ) -> None:
        take(record, numbered(1, status()))

        gap, event = take(record, numbered(number, status("AUTH_REQUIRED")))

        assert in_brief([gap, event]) == [brief, "auth-required -"]
        assert isinstance(gap, GapEvent)
        assert gap.message == why

    def test_a_stream_that_begins_in_the_middle_lacks_its_beginning(
        self, record: TaskRecord
    ) -> None:
        events = take(record, numbered(5, status()))

        assert in_brief(events) == ["gap of 4", "running -"]

    def test_a_task_that_had_no_numbers_is_counted_from_its_first(
        self, record: TaskRecord
    ) -> None:
        take(record, status())

        events = take(record, numbered(5, chunk("one")), numbered(6, status("FAILED")))

        assert in_brief(events) == ["a1 = one", "error -"]

    @pytest.mark.parametrize("number", [1, 5])
    def test_an_end_is_believed_of_an_agent_that_lost_count(
        self, record: TaskRecord, number: int
    ) -> None:
        take(record, numbered(5, status()))

        events = take(record, numbered(number, status("FAILED")))

        assert in_brief(events) == ["gap", "error -"]

    def test_the_hosts_own_word_has_no_number(self, record: TaskRecord) -> None:
        take(record, numbered(5, status()))

        assert build_lost_row(record, "gone", LATER).sequence is UNSET
