"""Builds A2A updates of one task, as the JSON that its agent sends.

For the tests of host/protocol. `add_updates` translates the updates into events.
"""

from __future__ import annotations

import json
from typing import Any

from msgspec import UNSET

from host.model.event import ArtifactEvent, Event, GapEvent, TaskEvent
from host.protocol.a2a_objects import RESUMABLE
from host.protocol.a2a_parser import parse_response
from host.protocol.progress import URI
from host.protocol.task_record import TaskRecord
from host.protocol.translate import note_time, translate

NOW = "2026-11-23T12:00:00.000Z"
LATER = "2026-11-23T12:00:09.000Z"
Json = dict[str, Any]


def progress(percent: float) -> Json:
    return {URI: {"aggregate": {"progress": percent, "total": 100}}}


def agent_message(text: str, message_id: str, percent: float | None = None) -> Json:
    """Build a message of the agent."""
    message: Json = {
        "messageId": message_id,
        "role": "ROLE_AGENT",
        "parts": [{"text": text}],
    }
    return message if percent is None else message | {"metadata": progress(percent)}


def status(
    state: str = "WORKING",
    message: Json | None = None,
    *,
    percent: float | None = None,
    at: str | None = None,
    context: str = "c1",
) -> Json:
    update: Json = {
        "taskId": "t1",
        "contextId": context,
        "status": {"state": f"TASK_STATE_{state}"},
    }
    if message:
        update["status"]["message"] = message
    if at:
        update["status"]["timestamp"] = at
    if percent is not None:
        update["metadata"] = progress(percent)
    return {"statusUpdate": update}


def chunk(
    *texts: str, artifact: str = "a1", append: bool = False, last: bool = False
) -> Json:
    return {
        "artifactUpdate": {
            "taskId": "t1",
            "contextId": "c1",
            "artifact": make_artifact(artifact, *texts),
            "append": append,
            "lastChunk": last,
        }
    }


def make_artifact(artifact: str, *texts: str) -> Json:
    parts = [{"text": text} for text in texts]
    return {"artifactId": artifact, "name": "result", "parts": parts}


def snapshot(
    state: str = "WORKING",
    message: Json | None = None,
    *,
    at: str | None = None,
    history: list[Json] | None = None,
    artifacts: list[Json] | None = None,
    **more: Any,
) -> Json:
    task = status(state, message, at=at)["statusUpdate"]
    return {
        "task": {
            "id": "t1",
            "contextId": "c1",
            "status": task["status"],
            "history": history or [],
            "artifacts": artifacts or [],
            **more,
        }
    }


def add_sequence(sequence: float, update: Json) -> Json:
    """Return the update with a sequence number of the resumable-stream extension."""
    [(kind, fields)] = update.items()
    number = {RESUMABLE: {"sequence": sequence}}
    return {kind: {**fields, "metadata": fields.get("metadata", {}) | number}}


def add_updates(
    record: TaskRecord, *updates: Json, at: str = NOW, pending_gap: str | None = None
) -> list[Event]:
    """Translate the updates one after the other. Return the events they add."""
    events = []
    for update in updates:
        parsed = parse_response(json.dumps(update).encode())
        fresh = translate(record, parsed, at, pending_gap)
        record.add(fresh)
        note_time(record, parsed)
        events += fresh
    return events


def artifact_event(text: str) -> ArtifactEvent:
    """Build the event of a chunk."""
    return ArtifactEvent(
        agent="carly",
        task_id="t1",
        context_id=None,
        artifact_id="a",
        name=None,
        parts=[{"text": text}],
        append=True,
        last_chunk=False,
        received_at=NOW,
    )


def rows(events: list[Event]) -> list[TaskEvent]:
    return [event for event in events if isinstance(event, TaskEvent)]


def words(events: list[Event]) -> list[str | None]:
    return [row.message for row in rows(events)]


def summarize(events: list[Event]) -> list[str]:
    """`running words`, `a1 = whole text`, `a1 + more text`, `gap` or `gap of n`."""
    return [_brief(event) for event in events]


def _brief(event: Event) -> str:
    if isinstance(event, TaskEvent):
        return f"{event.status} {event.message or '-'}"
    if isinstance(event, ArtifactEvent):
        text = "|".join(part["text"] for part in event.parts)
        return f"{event.artifact_id} {'+' if event.append else '='} {text}"
    if isinstance(event, GapEvent):
        return "gap" if event.missing is UNSET else f"gap of {event.missing}"
    return type(event).__name__
