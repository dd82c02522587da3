"""Tests which events a Task from the agent adds to the feed.

host/protocol/reconcile.py through host/protocol/translate.py, with the JSON that agents
send.
"""

from __future__ import annotations

import pytest

from host.protocol.task_record import TaskRecord
from tests.support.a2a_updates import (
    LATER,
    Json,
    add_sequence,
    add_updates,
    agent_message,
    chunk,
    make_artifact,
    rows,
    snapshot,
    status,
    summarize,
    words,
)
from tests.support.harness import ROOT

T0, T1, T2, T3, T4 = (f"2026-11-23T11:00:0{n}.000Z" for n in range(5))
ZERO, ONE = agent_message("zero", "m0"), agent_message("one", "m1")
TWO, THREE = agent_message("two", "m2"), agent_message("three", "m3")
DIFFERENT = agent_message("what is this", "u1") | {"role": "ROLE_USER"}

# The updates that are in the feed.
FEED: dict[str, list[Json]] = {
    "nothing": [],
    "submitted": [status("SUBMITTED", at=T1)],
    "running": [status("WORKING", ONE, at=T2)],
    "a chunk": [status("WORKING", ONE, at=T2), chunk("one ")],
    "waiting": [status("WORKING", ONE, at=T2), status("INPUT_REQUIRED", TWO, at=T3)],
    "the end": [status("WORKING", ONE, at=T2), status("COMPLETED", THREE, at=T4)],
}

# The content of the Task.
TASK: dict[str, Json] = {
    "older": snapshot("WORKING", ZERO, at=T0),
    "submitted": snapshot("SUBMITTED", at=T1),
    "running": snapshot("WORKING", ONE, at=T2, history=[DIFFERENT]),
    "a chunk": snapshot(
        "WORKING", ONE, at=T2, artifacts=[make_artifact("a1", "one two")]
    ),
    "waiting": snapshot("INPUT_REQUIRED", TWO, at=T3, history=[DIFFERENT, ONE]),
    "the end": snapshot(
        "COMPLETED",
        THREE,
        at=T4,
        history=[DIFFERENT, ONE, TWO],
        artifacts=[make_artifact("a1", "one two")],
    ),
}
WHOLE, REST = "a1 = one two", "a1 + two"

# (updates in the feed, content of the Task) -> the events that are added.
PAIRS: dict[tuple[str, str], list[str]] = {
    ("nothing", "older"): ["running zero"],
    ("nothing", "submitted"): ["submitted -"],
    ("nothing", "running"): ["running one"],
    ("nothing", "a chunk"): [WHOLE, "running one"],
    ("nothing", "waiting"): ["running one", "input-required two"],
    ("nothing", "the end"): ["running one", "running two", WHOLE, "completed three"],
    ("submitted", "older"): ["gap", "submitted zero"],
    ("submitted", "submitted"): [],
    ("submitted", "running"): ["gap", "running one"],
    ("submitted", "a chunk"): ["gap", WHOLE, "running one"],
    ("submitted", "waiting"): ["gap", "running one", "input-required two"],
    ("submitted", "the end"): [
        "gap",
        "running one",
        "running two",
        WHOLE,
        "completed three",
    ],
    ("running", "older"): ["gap", "running zero"],
    ("running", "submitted"): [],
    ("running", "running"): [],
    ("running", "a chunk"): ["gap", WHOLE],
    ("running", "waiting"): ["gap", "input-required two"],
    ("running", "the end"): ["gap", "running two", WHOLE, "completed three"],
    ("a chunk", "older"): ["gap", "running zero"],
    ("a chunk", "submitted"): [],
    ("a chunk", "running"): [],
    ("a chunk", "a chunk"): ["gap", REST],
    ("a chunk", "waiting"): ["gap", "input-required two"],
    ("a chunk", "the end"): ["gap", "running two", REST, "completed three"],
    ("waiting", "older"): ["gap", "input-required zero", "input-required two"],
    ("waiting", "submitted"): [],
    ("waiting", "running"): [],
    ("waiting", "a chunk"): ["gap", WHOLE],
    ("waiting", "waiting"): [],
    ("waiting", "the end"): ["gap", WHOLE, "completed three"],
    **{("the end", task): [] for task in TASK},
}


@pytest.fixture
def record() -> TaskRecord:
    return TaskRecord("carly", "t1")


def test_table_has_every_pair() -> None:
    assert PAIRS.keys() == {(feed, task) for feed in FEED for task in TASK}


def test_table_equals_the_table_in_the_docs() -> None:
    page = (ROOT / "docs/reconciliation.md").read_text(encoding="utf-8")
    lines = page.partition("## Each pair")[2].splitlines()
    table = [
        [cell.strip(" *") for cell in line.split("|")[1:-1]]
        for line in lines
        if line.startswith("| ")
    ]

    assert {
        (feed, task): [] if events == "–" else events.split("; ")
        for feed, *cells in table[1:]
        for task, events in zip(table[0][1:], cells, strict=True)
    } == PAIRS


@pytest.mark.parametrize(
    ("feed", "task"), PAIRS, ids=[" + ".join(pair) for pair in PAIRS]
)
class TestPair:
    def test_adds_what_is_new_after_a_gap(
        self, record: TaskRecord, feed: str, task: str
    ) -> None:
        add_updates(record, *FEED[feed])

        events = add_updates(record, TASK[task], pending_gap="the stream broke")

        assert summarize(events) == PAIRS[feed, task]

    def test_adds_no_gap_if_nothing_can_be_missing(
        self, record: TaskRecord, feed: str, task: str
    ) -> None:
        add_updates(record, *FEED[feed])

        events = add_updates(record, TASK[task])

        assert summarize(events) == [e for e in PAIRS[feed, task] if e != "gap"]

    def test_adds_nothing_the_second_time(
        self, record: TaskRecord, feed: str, task: str
    ) -> None:
        add_updates(record, *FEED[feed], TASK[task])

        assert (
            add_updates(record, TASK[task], at=LATER, pending_gap="the stream broke")
            == []
        )


class TestNumbered:
    """The feed has update 5, at T2. Then a Task arrives that includes update n."""

    FED = add_sequence(5, status("WORKING", ONE, at=T2))

    @pytest.mark.parametrize(
        ("task", "events"),
        [
            (add_sequence(3, snapshot("SUBMITTED", at=T1)), []),
            (add_sequence(4, snapshot("INPUT_REQUIRED", TWO, at=T2)), []),
            (add_sequence(5, snapshot("INPUT_REQUIRED", TWO, at=T3)), []),
            (
                add_sequence(6, snapshot("INPUT_REQUIRED", TWO, at=T3)),
                ["input-required two"],
            ),
            (add_sequence(6, TASK["a chunk"]), [WHOLE, "running one"]),
            (
                add_sequence(7, snapshot("INPUT_REQUIRED", TWO, at=T3)),
                ["gap of 1", "input-required two"],
            ),
            (
                add_sequence(9, TASK["the end"]),
                ["gap of 3", "running two", WHOLE, "completed three"],
            ),
            (add_sequence(6, snapshot("WORKING", ONE, at=T1)), ["running one"]),
            (
                add_sequence(2, snapshot("INPUT_REQUIRED", TWO, at=T3)),
                ["gap", "input-required two"],
            ),
            (
                add_sequence(2, TASK["the end"]),
                ["gap", "running two", WHOLE, "completed three"],
            ),
            (TASK["waiting"], ["gap", "input-required two"]),
            (TASK["running"], []),
        ],
        ids=[
            "a copy from before",
            "of the same time",
            "the same",
            "the next",
            "the next, a chunk",
            "one is missing",
            "three are missing",
            "next, by a clock set back",
            "lost count",
            "lost count and ended",
            "no number",
            "no number and nothing new",
        ],
    )
    def test_number_of_the_task_shows_what_is_missing(
        self, record: TaskRecord, task: Json, events: list[str]
    ) -> None:
        add_updates(record, self.FED)

        assert (
            summarize(add_updates(record, task, pending_gap="the stream broke"))
            == events
        )

    def test_updates_continue_after_the_number_of_the_task(
        self, record: TaskRecord
    ) -> None:
        add_updates(record, self.FED, add_sequence(9, TASK["waiting"]))

        assert record.sequence == 9
        assert summarize(
            add_updates(record, add_sequence(10, status("WORKING", THREE)))
        ) == ["running three"]

    def test_first_task_needs_no_gap_for_any_number(self, record: TaskRecord) -> None:
        events = add_updates(
            record, add_sequence(7, TASK["waiting"]), pending_gap="just found"
        )

        assert summarize(events) == ["running one", "input-required two"]

    def test_numbers_continue_from_the_task_of_an_agent_that_lost_count(
        self, record: TaskRecord
    ) -> None:
        add_updates(record, self.FED, add_sequence(2, TASK["waiting"]))

        assert summarize(
            add_updates(record, add_sequence(3, status("WORKING", THREE)))
        ) == ["running three"]


class TestMessages:
    def test_come_before_artifacts_and_the_state(self, record: TaskRecord) -> None:
        events = add_updates(record, TASK["the end"])

        assert summarize(events) == PAIRS["nothing", "the end"]
        assert rows(events)[-1].result == "one two"

    def test_of_users_are_not_added(self, record: TaskRecord) -> None:
        assert words(add_updates(record, snapshot(history=[DIFFERENT]))) == [None]

    def test_in_history_and_status_are_added_once(self, record: TaskRecord) -> None:
        task = snapshot("COMPLETED", TWO, history=[ONE, TWO])

        assert summarize(add_updates(record, task)) == ["running one", "completed two"]

    def test_twice_in_the_history_are_added_once(self, record: TaskRecord) -> None:
        assert words(add_updates(record, snapshot(history=[ONE, ONE]))) == ["one"]

    def test_without_an_id_are_added_only_to_a_new_task(
        self, record: TaskRecord
    ) -> None:
        task = snapshot(history=[agent_message("one", ""), agent_message("two", "")])
        assert words(add_updates(record, task)) == ["one", "two"]

        assert add_updates(record, task, at=LATER) == []

    def test_carry_their_progress(self, record: TaskRecord) -> None:
        task = snapshot(
            message=agent_message("two", "m2", 40),
            history=[agent_message("one", "m1", 20)],
        )

        assert [row.progress for row in rows(add_updates(record, task))] == [20, 40]


def test_other_context_id_of_the_same_task_adds_no_row() -> None:
    """Replicas of an agent may give a task different ones."""
    record = TaskRecord("carly", "t1")
    updates = [status("WORKING", context=context) for context in ("c1", "c2", "c1")]

    assert len(rows(add_updates(record, *updates))) == 1
    assert record.row
    assert record.row.context_id == "c1"
