"""Which Tasks prove that the feed has everything: stale ones do not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from host.protocol.a2a_parser import parse_response
from host.protocol.gaps import covers
from host.protocol.task_record import TaskRecord
from host.protocol.translate import translate

EARLY, LATE = "2026-11-22T12:00:00Z", "2026-11-22T12:00:05Z"
Json = dict[str, Any]


def make_task(
    *chunks: str, at: str | None = None, said: str = "", state: str = "WORKING"
) -> Json:
    status: Json = {"state": f"TASK_STATE_{state}"}
    if at:
        status["timestamp"] = at
    if said:
        part = {"text": said}
        message = {"messageId": f"id of {said}", "role": "ROLE_AGENT", "parts": [part]}
        status["message"] = message
    parts = [{"text": text} for text in chunks]
    artifacts = [{"artifactId": "a", "parts": parts}] if chunks else []
    return {"id": "t", "contextId": "c", "status": status, "artifacts": artifacts}


def is_covered(feed: Json, task: Json) -> bool:
    """Return whether `task` covers the feed that has the Task `feed`."""
    record = TaskRecord("carly", "t")
    update = parse_response(json.dumps({"task": feed}).encode())
    record.add(translate(record, update, LATE))
    later = parse_response(json.dumps({"task": task}).encode()).task
    assert later
    return covers(later, record)


@pytest.mark.parametrize(
    ("feed", "task", "expected"),
    [
        (make_task("ab"), make_task("ab"), True),
        (make_task("ab"), make_task("a", "b", "c"), True),
        (make_task("ab"), make_task("a"), False),
        (make_task("ab"), make_task(), False),
        (make_task(), make_task("ab"), True),
        (make_task(at=LATE), make_task(at=EARLY), False),
        (make_task(at=EARLY), make_task(at=LATE), True),
        (make_task(at=LATE), make_task(at=LATE), True),
        (make_task("a", at=EARLY), make_task(at=LATE), False),
        (make_task(), make_task(state="SUBMITTED"), False),
        (make_task(said="one"), make_task(said="one"), True),
        (make_task(said="one"), make_task(), False),
    ],
)
def test_task_covers_the_feed_only_if_it_lacks_nothing(
    feed: Json, task: Json, expected: bool
) -> None:
    assert is_covered(feed, task) is expected
