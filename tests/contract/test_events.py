"""Tests of events.json: every kind of event as JSON. The page's tests read it, too.

After an intended change, `python -m tests.contract.test_events` writes it again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from host.model.event import (
    AgentEvent,
    ArtifactEvent,
    Event,
    GapEvent,
    MessageEvent,
    NoticeEvent,
    Skill,
    TaskEvent,
    decode,
    encode,
    with_id,
)
from host.protocol.task_status import STATUS_OF_STATE

GOLDEN = Path(__file__).with_name("events.json")
AT = "2026-11-22T12:00:00.123Z"
RECEIVED = "2026-11-22T12:00:00.130Z"
URL = "http://127.0.0.1:8001"


def task(
    state: str, message: str | None, progress: float | None, **more: Any
) -> TaskEvent:
    return TaskEvent(
        agent="carly",
        task_id="5f0c",
        context_id="9b1e",
        status=STATUS_OF_STATE.get(state, "unknown"),
        state=state,
        progress=progress,
        message=message,
        message_id="m1" if message else None,
        at=AT,
        received_at=RECEIVED,
        **more,
    )


def artifact(
    *parts: dict[str, object], append: bool, last_chunk: bool, **more: Any
) -> Event:
    return ArtifactEvent(
        agent="carly",
        task_id="5f0c",
        context_id="9b1e",
        artifact_id="a1",
        name="result",
        parts=list(parts),
        append=append,
        last_chunk=last_chunk,
        received_at=RECEIVED,
        **more,
    )


CHECK = Skill("calendar_check", "Check the calendar", "Looks for slots.", ["Find one"])
FOUND = "Found 3 available slots for tomorrow!"
EVENTS: list[Event] = [
    AgentEvent(agent="carly", url=URL, connection="connecting", received_at=RECEIVED),
    AgentEvent(
        agent="carly",
        url=URL,
        connection="connected",
        title="Carly",
        description="Keeps the calendar.",
        version="0.1.0",
        binding="JSONRPC",
        protocol="1.0",
        interface_url=URL,
        followed="streaming",
        discovery="every task",
        skills=[CHECK],
        received_at=RECEIVED,
    ),
    AgentEvent(
        agent="carly",
        url=URL,
        connection="connected",
        title="Carly",
        description="Keeps the calendar.",
        version="0.1.0",
        binding="GRPC",
        protocol="0.3",
        interface_url="127.0.0.1:9001",
        followed="polling every 1 s",
        discovery="only tasks that pass through this host",
        trouble="an event over 4 MiB was left out",
        skills=[CHECK],
        received_at=RECEIVED,
    ),
    AgentEvent(
        agent="carly",
        url=URL,
        connection="lost",
        cause="refused: nothing listens there",
        attempt=2,
        retry_s=1.5,
        title="Carly",
        description="Keeps the calendar.",
        version="0.1.0",
        skills=[CHECK],
        received_at=RECEIVED,
    ),
    AgentEvent(
        agent="carly",
        url=URL,
        connection="removed",
        title="Carly",
        description="Keeps the calendar.",
        version="0.1.0",
        skills=[CHECK],
        received_at=RECEIVED,
    ),
    task("TASK_STATE_SUBMITTED", None, None),
    task("TASK_STATE_WORKING", "Checking availability...", 50),
    task("TASK_STATE_WORKING", "A third of it is done…", 33.3),
    task("TASK_STATE_INPUT_REQUIRED", "Send 4 invitations?", 50),
    task("TASK_STATE_AUTH_REQUIRED", "Please log in.", 50),
    task("TASK_STATE_WORKING", "Querying team calendars...", 50, sequence=4),
    artifact({"text": "Found 3 "}, append=False, last_chunk=False),
    artifact({"text": "slots"}, append=True, last_chunk=False, sequence=6),
    artifact({"data": {"slots": [1, 2, 3]}}, append=True, last_chunk=True),
    task("TASK_STATE_COMPLETED", FOUND, 100, result=FOUND),
    task("TASK_STATE_FAILED", "The calendar is closed.", 50),
    task("TASK_STATE_CANCELED", "Task cancelled by user request", 50),
    task("TASK_STATE_REJECTED", "Not on Sundays.", None),
    task("TASK_STATE_UNSPECIFIED", None, None),
    task("TASK_STATE_WORKING", "<b>not</b> markup & \u2028 \"quotes\" \r\n 'lines'", 0),
    MessageEvent(
        agent="carly",
        context_id="9b1e",
        message_id="m2",
        message="Ask me about calendars.",
        received_at=RECEIVED,
    ),
    GapEvent(
        agent="carly",
        task_id="5f0c",
        context_id=None,
        message="the stream broke: updates in between may be missing",
        received_at=RECEIVED,
    ),
    GapEvent(
        agent="carly",
        task_id="5f0c",
        context_id="9b1e",
        message="updates 7 to 9 are missing",
        missing=3,
        received_at=RECEIVED,
    ),
    task("TASK_STATE_SUBMITTED", None, None, parent_task_id="c0de"),
    task("TASK_STATE_INPUT_REQUIRED", "Send?", 50, choices=["Send", "Don't send"]),
    NoticeEvent(
        agent="carly",
        task_id="5f0c",
        context_id="9b1e",
        notice="stalled",
        message="no update for 5 min",
        received_at=RECEIVED,
    ),
    task(
        "TASK_STATE_WORKING", "Querying team calendars...", 50, stalled_since=RECEIVED
    ),
    NoticeEvent(
        agent="carly",
        task_id="5f0c",
        context_id=None,
        notice="resumed",
        message="an update came after 7 min",
        received_at=RECEIVED,
    ),
    task("TASK_STATE_WORKING", "Querying team calendars...", 50, stalled_since=None),
    task(
        "TASK_STATE_COMPLETED",
        "Done.",
        100,
        result="The first 64 KiB",
        shortened={"result": 3_900_000},
        result_artifacts=["a1"],
    ),
]


def to_json() -> str:
    lines = [with_id(i, encode(event)).decode() for i, event in enumerate(EVENTS, 1)]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def test_events_json_equals_encoded_events() -> None:
    written = GOLDEN.read_text(encoding="utf-8")

    assert written == to_json(), "intended? python -m tests.contract.test_events"


def test_events_json_has_every_kind_and_status() -> None:
    events = json.loads(GOLDEN.read_text(encoding="utf-8"))

    assert {event["kind"] for event in events} == {
        "task",
        "artifact",
        "message",
        "agent",
        "gap",
        "notice",
    }
    statuses = {event["status"] for event in events if event["kind"] == "task"}
    assert statuses == {*STATUS_OF_STATE.values(), "unknown"}


@pytest.mark.parametrize(("line", "event"), [*enumerate(EVENTS, 1)])
def test_events_json_decodes_to_the_same_events(line: int, event: Event) -> None:
    """Logs written by this version must stay readable."""
    written = json.loads(GOLDEN.read_text(encoding="utf-8"))[line - 1]

    assert written.pop("id") == line
    assert decode(json.dumps(written).encode()) == event


if __name__ == "__main__":
    GOLDEN.write_text(to_json(), encoding="utf-8")
