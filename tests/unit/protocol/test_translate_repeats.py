"""Tests that an update that an agent sends again is added once.

host/protocol/translate.py, with the JSON that agents send.
"""

from __future__ import annotations

import pytest

from host.protocol.task_record import TaskRecord
from tests.support.a2a_updates import (
    LATER,
    add_updates,
    agent_message,
    chunk,
    status,
    summarize,
)


@pytest.fixture
def record() -> TaskRecord:
    return TaskRecord("carly", "t1")


def test_whole_artifact_sent_twice_is_added_once(record: TaskRecord) -> None:
    whole, nameless = chunk("one", last=True), chunk("one", last=True)
    nameless["artifactUpdate"]["artifact"]["name"] = ""

    assert summarize(add_updates(record, whole, whole, nameless)) == ["a1 = one"]
    assert summarize(add_updates(record, chunk("two", last=True))) == ["a1 = two"]


def test_equal_chunks_are_both_added(record: TaskRecord) -> None:
    first, again = chunk("ha"), chunk("ha", append=True)

    assert len(add_updates(record, first, again, again)) == 3


def test_status_sent_twice_is_one_event(record: TaskRecord) -> None:
    update = status(
        message=agent_message("Checking…", "m1", 25), at="2026-11-23T11:59:59Z"
    )
    add_updates(record, update)

    assert add_updates(record, update, at=LATER) == []


@pytest.mark.parametrize("at", [True, False], ids=["with times", "without"])
def test_stream_sent_again_from_its_start_adds_nothing(
    record: TaskRecord, at: bool
) -> None:
    stream = [
        status(
            state,
            agent_message(f"{n}", f"m{n}"),
            at=f"2026-11-23T12:00:0{n}Z" if at else None,
        )
        for n, state in enumerate(["SUBMITTED", "WORKING", "WORKING"])
    ]
    add_updates(record, *stream)

    assert add_updates(record, *stream, at=LATER) == []


def test_message_sent_again_later_is_added_again(record: TaskRecord) -> None:
    ask, work = agent_message("Send?", "m1"), agent_message("Sending…", "m2")
    add_updates(
        record,
        status("INPUT_REQUIRED", ask, at="2026-11-23T12:00:01Z"),
        status("WORKING", work, at="2026-11-23T12:00:02Z"),
    )

    events = add_updates(
        record, status("INPUT_REQUIRED", ask, at="2026-11-23T12:00:03Z")
    )

    assert summarize(events) == ["input-required Send?"]
