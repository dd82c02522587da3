"""Tests of scripts/sse, which shows server-sent events as short lines."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scripts.show_events import show_events

PROGRESS = "https://a2a-protocol.org/extensions/task-progress/v1"
ROW = {"task_id": "task-123", "status": "running", "progress": 0}


def shown(*events: Any) -> list[str]:
    """Return the lines for events with the ids 1, 2, 3 …"""
    lines = []
    for number, event in enumerate(events, 1):
        lines += [f"id: {number}\n", f"data: {json.dumps(event)}\n", "\n"]
    return list(show_events(lines))


def status(state: str, text: str, percent: int) -> dict[str, Any]:
    aggregate = {"progress": percent, "total": 100}
    return {
        "statusUpdate": {
            "status": {"state": state, "message": {"parts": [{"text": text}]}},
            "metadata": {PROGRESS: {"aggregate": aggregate}},
        }
    }


def test_stream_responses_of_both_bindings_look_the_same() -> None:
    update = status("TASK_STATE_INPUT_REQUIRED", "20:00 or 21:00?", 40)
    rpc = {"jsonrpc": "2.0", "id": 1, "result": update}
    line = "   {}  status    input-required   40 %  20:00 or 21:00?"

    assert shown(update, rpc) == [line.format(1), line.format(2)]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        ({"task": {"status": {"state": "TASK_STATE_SUBMITTED"}}}, "task submitted"),
        ({"id": "t-1", "status": {"state": "TASK_STATE_CANCELED"}}, "task canceled"),
        (
            {
                "id": "t-1",
                "status": {"state": "TASK_STATE_COMPLETED"},
                "artifacts": [{"parts": [{"text": "Three slots"}]}],
            },
            "task completed 100 % Three slots",
        ),
        (
            {"artifactUpdate": {"artifact": {"parts": [{"text": "Two"}]}}},
            "artifact Two",
        ),
        ({"message": {"parts": [{"text": "Dry."}]}}, "message Dry."),
        ({"error": {"code": 400, "message": "no such task"}}, "error no such task"),
        ({**ROW, "message": "Starting..."}, "task running 0 % Starting..."),
        ({**ROW, "kind": "gap", "message": "a hole"}, "gap running 0 % a hole"),
        (
            {"kind": "agent", "agent": "carly", "connection": "lost"},
            "agent lost carly",
        ),
        (ROW | {"result": "x" * 100}, f"task running 0 % {'x' * 79}…"),
        (ROW | {"message": "\x1b[2Jred"}, "task running 0 % \\u001b[2Jred"),
        ([1], "[1]"),
    ],
)
def test_event_is_one_line(event: Any, line: str) -> None:
    (found,) = shown(event)
    assert " ".join(found.removeprefix("   1").split()) == line


def test_comments_are_left_out_and_other_lines_are_shown() -> None:
    lines = [
        ": ping\n",
        "retry: 1000\n",
        "\n",
        '{"error": {"message": "no"}}\n',
        "hm\n",
    ]
    assert [line.split() for line in show_events(lines)] == [["error", "no"], ["hm"]]
