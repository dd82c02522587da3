"""Property tests of a task's events, for any updates and any broken streams.

host/protocol/translate.py. test_translate.py and test_reconcile.py have examples.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from host.model.event import (
    TERMINAL,
    ArtifactEvent,
    Event,
    GapEvent,
    TaskEvent,
    decode,
    encode,
)
from host.protocol.task_record import TaskRecord
from tests.support.a2a_updates import (
    LATER,
    NOW,
    Json,
    add_sequence,
    add_updates,
    agent_message,
    chunk,
    make_artifact,
    rows,
    snapshot,
    status,
    words,
)

# Few of each, so that updates repeat and contradict each other.
messages = st.builds(
    agent_message,
    st.sampled_from(["", "one", "two"]),
    st.sampled_from(["", "m1", "m2", "m3"]),
    st.none() | st.integers(-20, 120),
)
states = st.sampled_from(
    [
        "SUBMITTED",
        "WORKING",
        "WORKING",
        "INPUT_REQUIRED",
        "UNSPECIFIED",
        "COMPLETED",
        "FAILED",
        "CANCELED",
        "REJECTED",
    ]
)
times = st.sampled_from([None, NOW, LATER, "2026-11-22T12:00:00"])
statuses = st.builds(
    status,
    states,
    st.none() | messages,
    percent=st.none() | st.integers(-20, 120),
    at=times,
    context=st.sampled_from(["", "c1"]),
)
artifacts = st.builds(
    make_artifact,
    st.sampled_from(["a1", "a2"]),
    st.sampled_from(["", "x", "y", "xy"]),
    st.sampled_from(["", "y"]),
)
snapshots = st.builds(
    snapshot,
    states,
    st.none() | messages,
    at=times,
    history=st.lists(messages, max_size=3),
    artifacts=st.lists(artifacts, max_size=3),
)
chunks = st.builds(
    chunk,
    st.sampled_from(["x", "y"]),
    artifact=st.sampled_from(["a1", "a2"]),
    append=st.booleans(),
    last=st.booleans(),
)
plain = statuses | snapshots | chunks
updates = plain | st.builds(add_sequence, st.integers(1, 9), plain)


@settings(derandomize=True, deadline=None)
@given(st.lists(updates, max_size=12))
def test_progress_never_decreases_and_nothing_follows_the_end(
    updates: list[Json],
) -> None:
    events = add_updates(
        TaskRecord("carly", "t1"), *updates, pending_gap="the stream broke"
    )

    values = [row.progress for row in rows(events)]
    first = next((i for i, p in enumerate(values) if p is not None), len(values))
    percents = [p for p in values[first:] if p is not None]
    assert len(percents) == len(values) - first, "progress was forgotten"
    assert percents == sorted(percents)
    assert all(0 <= percent <= 100 for percent in percents)
    over = [
        i
        for i, event in enumerate(events)
        if isinstance(event, TaskEvent) and event.status in TERMINAL
    ]
    assert over in ([], [len(events) - 1])


@settings(derandomize=True, deadline=None)
@given(st.lists(updates, max_size=6), statuses | snapshots)
def test_status_or_task_sent_again_adds_nothing(
    before: list[Json], update: Json
) -> None:
    record = TaskRecord("carly", "t1")
    add_updates(record, *before, update)

    assert add_updates(record, update, at=LATER, pending_gap="the stream broke") == []


@settings(derandomize=True, deadline=None)
@given(st.lists(updates, max_size=8), updates)
def test_record_read_from_the_feed_is_the_same(
    before: list[Json], update: Json
) -> None:
    record, again = TaskRecord("carly", "t1"), TaskRecord("carly", "t1")
    events = add_updates(record, *before)

    again.add(decode(encode(event)) for event in events)

    assert again == record
    assert add_updates(again, update) == add_updates(record, update)


@settings(derandomize=True, deadline=None)
@given(st.lists(st.integers(1, 12), max_size=20))
def test_each_number_is_added_once_or_counted_as_missing(arrived: list[int]) -> None:
    """This holds for any lost, repeated or reordered updates."""
    record = TaskRecord("carly", "t1")
    stream = (
        add_sequence(n, status(message=agent_message(f"{n}", f"m{n}"))) for n in arrived
    )

    events = add_updates(record, *stream)

    assert sorted(_numbers(events) + _missing(events)) == [
        n + 1 for n in range(max(arrived, default=0))
    ]
    assert _numbers(events) == sorted(_numbers(events))


def _numbers(events: list[Event]) -> list[int]:
    return [
        event.sequence
        for event in events
        if isinstance(event, TaskEvent | ArtifactEvent)
        and not isinstance(event.sequence, type(UNSET))
    ]


def _missing(events: list[Event]) -> list[int]:
    """Return the numbers that the gaps count."""
    numbers: list[int] = []
    last = 0
    for event in events:
        if isinstance(event, GapEvent) and event.missing is not UNSET:
            numbers += range(last + 1, last + event.missing + 1)
        elif values := _numbers([event]):
            last = values[-1]
    return numbers


WORDS = [f"{n}" for n in range(1, 8)]


def stream_and_copies(*, number: bool) -> tuple[list[Json], list[Json]]:
    """Build the updates of a task, and the Task at its agent after each of them."""
    stream, copies = [], []
    for n, word in enumerate(WORDS):
        state, at = "WORKING", f"2026-11-23T12:00:0{n}Z"
        live = status(state, agent_message(word, f"m{word}"), at=at)
        history = [agent_message(before, f"m{before}") for before in WORDS[:n]]
        copy = snapshot(state, agent_message(word, f"m{word}"), at=at, history=history)
        stream.append(add_sequence(n + 1, live) if number else live)
        copies.append(add_sequence(n + 1, copy) if number else copy)
    return stream, copies


places = st.integers(1, len(WORDS))


@settings(derandomize=True, deadline=None)
@given(st.booleans(), st.lists(st.tuples(places, places), max_size=4))
def test_stream_that_breaks_anywhere_adds_each_message_once_in_order(
    number: bool, breaks: list[tuple[int, int]]
) -> None:
    """Each stream reads up to some update, and misses the next ones."""
    stream, copies = stream_and_copies(number=number)
    record = TaskRecord("carly", "t1")
    events: list[Event] = []
    at = 0
    for seen, missed in breaks:
        seen = max(at, seen)
        events += add_updates(record, *stream[at:seen])
        at = max(seen, missed)
        events += add_updates(record, copies[at - 1], pending_gap="the stream broke")
    events += add_updates(record, *stream[at:])

    assert words(events) == WORDS
