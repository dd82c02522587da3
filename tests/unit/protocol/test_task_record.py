"""Tests of the record of a task's events in the feed."""

from __future__ import annotations

from copy import deepcopy

import pytest

from host.model.event import GapEvent
from host.protocol.artifact_record import ArtifactRecord
from host.protocol.task_record import TaskRecord
from tests.support.a2a_updates import (
    NOW,
    add_sequence,
    add_updates,
    agent_message,
    chunk,
    status,
)


@pytest.fixture
def record() -> TaskRecord:
    record = TaskRecord("carly", "t1")
    add_updates(
        record,
        add_sequence(3, status(message=agent_message("one", "m1"))),
        chunk("one"),
    )
    return record


def test_copy_adds_events_without_changing_the_first(record: TaskRecord) -> None:
    before, copy = deepcopy(record), record.copy()
    assert copy == record

    add_updates(copy, chunk("two", append=True), chunk("three", artifact="a2"))
    add_updates(copy, add_sequence(4, status(message=agent_message("two", "m2"))))

    assert record == before
    assert copy.sequence == 4
    assert copy.artifacts["a1"] == ArtifactRecord(
        [{"text": "one"}, {"text": "two"}], "result"
    )


def test_gap_changes_nothing(record: TaskRecord) -> None:
    before = deepcopy(record)
    gap = GapEvent(
        agent="carly", task_id="t1", context_id=None, message="?", received_at=NOW
    )

    record.add([gap])

    assert record == before
    assert not record.is_empty
    assert TaskRecord("carly", "t1").is_empty
