"""What the feed knows of a task, and what of an artifact a reader has not seen.

host/protocol/task_record.py; the events that come of it are in
test_host_reconcile.py.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host.model.event import GapEvent
from host.protocol.artifact_parts import new_parts
from host.protocol.task_record import ArtifactRecord, TaskRecord
from tests.support.a2a_updates import NOW, chunk, numbered, said, status, take

Parts = list[dict[str, Any]]
FILE = {"url": "https://x.example/a.pdf", "filename": "a.pdf"}
DATA = {"data": {"n": 1}}
PLAIN = {"mediaType": "text/plain"}


def texts(*words: str, **more: Any) -> Parts:
    return [{"text": text, **more} for text in words]


@pytest.mark.parametrize(
    ("told", "now", "new"),
    [
        ([], texts("one"), texts("one")),
        (texts("one"), texts("one"), []),
        (texts("one"), texts("one", "two"), texts("two")),
        (texts("1", "2"), texts("1", "2", "3", "4"), texts("3", "4")),
        # Grown within a part.
        (texts("one"), texts("one two"), texts(" two")),
        (texts("one"), texts("one two", "3"), texts(" two3")),
        (texts("one", **PLAIN), texts("one two", **PLAIN), texts(" two", **PLAIN)),
        # The same, joined or apart.
        (texts("one", " two"), texts("one two"), []),
        (texts("one two"), texts("one", " two"), []),
        (texts("one", " two"), texts("one two 3"), texts(" 3")),
        (texts("one two"), texts("one", " two", " 3"), texts(" 3")),
        ([*texts("1", "2"), FILE], [*texts("12"), FILE, DATA], [DATA]),
        # Less than was told: the agent did not keep it.
        (texts("one", "two"), texts("one"), []),
        (texts("one two"), texts("one"), []),
        (texts("one"), [], []),
        ([FILE, DATA], [FILE], []),
        # Not the same any more.
        (texts("draft"), texts("final"), None),
        (texts("one", "draft"), texts("one", "final"), None),
        (texts("one"), texts("one two", **PLAIN), None),
        ([DATA], [{"data": {"n": 2}}], None),
        ([DATA], [FILE, DATA], None),
        (texts("one"), [FILE], None),
        ([FILE], texts("one"), None),
    ],
)
def test_of_an_artifact_only_what_follows_is_new(
    told: Parts, now: Parts, new: Parts | None
) -> None:
    assert new_parts(told, now) == new


some_parts = st.lists(
    st.sampled_from([*texts("", "a", "b", "ab"), *texts("a", **PLAIN), FILE, DATA]),
    max_size=6,
)


def run_together(parts: Parts) -> list[Any]:
    """Each letter with what it carries, and each part that is no text."""
    return [
        (item, part.get("mediaType"))
        for part in parts
        for item in part.get("text", [part])
    ]


@settings(derandomize=True, deadline=None)
@given(some_parts, some_parts)
def test_what_was_told_and_what_is_new_are_the_whole(told: Parts, now: Parts) -> None:
    before = deepcopy((told, now))

    new = new_parts(told, now)

    assert (told, now) == before
    seen, held = run_together(told), run_together(now)
    if new is None:
        assert seen != held[: len(seen)] and held != seen[: len(held)]
    else:
        assert seen + run_together(new) == (held if len(held) > len(seen) else seen)


@settings(derandomize=True, deadline=None)
@given(some_parts, some_parts)
def test_what_was_appended_is_what_is_new(told: Parts, more: Parts) -> None:
    assert new_parts(told, told + more) == more


@pytest.fixture
def record() -> TaskRecord:
    record = TaskRecord("carly", "t1")
    take(record, numbered(3, status(message=said("one", "m1"))), chunk("one"))
    return record


def test_a_copy_notes_what_the_first_does_not_know(record: TaskRecord) -> None:
    before, copy = deepcopy(record), record.copy()
    assert copy == record

    take(copy, chunk("two", append=True), chunk("three", artifact="a2"))
    take(copy, numbered(4, status(message=said("two", "m2"))))

    assert record == before
    assert copy.sequence == 4
    assert copy.artifacts["a1"] == ArtifactRecord(texts("one", "two"), "result")


def test_a_gap_is_empty_known(record: TaskRecord) -> None:
    before = deepcopy(record)
    gap = GapEvent(
        agent="carly", task_id="t1", context_id=None, message="?", received_at=NOW
    )

    record.add([gap])

    assert record == before
    assert not record.is_empty
    assert TaskRecord("carly", "t1").is_empty
