"""The JSON Schema of the feed: every kind of event, and the snapshot."""

from __future__ import annotations

import msgspec

from ...model.event import (
    STATUSES,
    AgentEvent,
    ArtifactEvent,
    GapEvent,
    MessageEvent,
    NoticeEvent,
    Skill,
    Snapshot,
    TaskEvent,
)
from .builders import Json

FEED_VERSION = 1
"""Increases if old readers would misread an event. New fields do not count."""
KINDS = (TaskEvent, ArtifactEvent, MessageEvent, AgentEvent, GapEvent, NoticeEvent)

_TIME = "RFC 3339 in UTC, to the millisecond"
_DESCRIPTIONS = {
    "agent": "The name of the agent at this host.",
    "append": "Whether the parts continue the earlier ones.",
    "artifact_id": "A2A's artifactId.",
    "at": f"The agent's clock: {_TIME}.",
    "attempt": "The number of the last failed connection attempt.",
    "binding": "JSONRPC, HTTP+JSON or GRPC.",
    "cause": "Why the agent is lost.",
    "choices": "The answers that the question offers.",
    "context_id": "A2A's contextId, if the agent has one.",
    "continued_by": "The task with which the agent answered a reply to this one.",
    "continues": "The task whose reply started this one.",
    "discovery": "Which of the agent's tasks are found.",
    "epoch": "The id of the log. Event ids of two epochs cannot be compared.",
    "followed": "How its tasks are followed: streaming or polling.",
    "id": "The event's place in the feed: 1, 2, 3 and so on.",
    "interface_url": "The URL of the interface that the host uses.",
    "last_chunk": "Whether the artifact is complete.",
    "message": "The agent's message as plain text, never markup.",
    "message_id": "A2A's messageId of `message`.",
    "missing": "The largest number of updates that may be missing.",
    "name": "The agent's name for it.",
    "new_task": "True: the events after this gap are of another task with the same id.",
    "notice": "What the host noticed.",
    "now": f"The host's clock when it sent this: {_TIME}.",
    "parent_task_id": "The task that started this one through the host.",
    "parts": "A2A parts as the agent sent them.",
    "progress": "Percent; null if the agent does not report it.",
    "protocol": "The A2A version in use: 1.0 or 0.3.",
    "reason": "Why the reader's cursor could not be continued.",
    "received_at": f"The host's clock: {_TIME}.",
    "reset": "Whether the reader's cursor could not be continued.",
    "result": "The text of the artifacts, on `completed`; at most 64 KiB.",
    "result_artifacts": "If `result` is shortened: the artifacts with the whole.",
    "retry_s": "Seconds until the next attempt.",
    "sequence": "The agent's own number of the update.",
    "shortened": "The size in bytes of each text of the row that is cut, by field.",
    "stalled_since": "The time of the last news of a stalled task; null when it ends.",
    "state": "A2A's TaskState.",
    "task_id": "A2A's task id, as the agent gave it.",
    "tasks_left_out": "The number of task rows that are not in the snapshot.",
    "trouble": "What is wrong with a connected agent.",
    "found_from": "The agent's clock: the host ignores tasks that ended before.",
    "found_until": "The agent's clock: the feed has every listed task up to then.",
    "lint": "What is wrong with its responses although the host can read them.",
    "url": "The agent's URL in the settings.",
}
_LIMITS: dict[str, Json] = {
    "connection": {"enum": ["connecting", "connected", "lost", "removed"]},
    "notice": {"enum": ["stalled", "resumed"]},
    "progress": {"minimum": 0, "maximum": 100},
    "status": {"enum": sorted(STATUSES)},
}
_ID = {"type": "integer", "minimum": 1, "description": _DESCRIPTIONS["id"]}


def schema() -> Json:
    """Build the JSON Schema (draft 2020-12) of an SSE event's `data` or an NDJSON line.

    Readers must ignore unknown fields: later releases may add some.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:courtside:feed:{FEED_VERSION}",
        "title": f"The feed of Courtside, version {FEED_VERSION}",
        "description": "One event of the feed, or a snapshot (the SSE event type "
        "`snapshot`). Ignore fields that are not listed here.",
        "anyOf": [{"$ref": "#/$defs/Event"}, {"$ref": "#/$defs/Snapshot"}],
        "$defs": definitions("#/$defs/"),
    }


def definitions(prefix: str) -> Json:
    """Build the schemas by name. They refer to each other with `prefix`."""
    _, rows = msgspec.json.schema_components(
        [*KINDS, Skill, Snapshot], ref_template=prefix + "{name}"
    )
    for row in rows.values():
        _describe(row)
    names = [kind.__name__ for kind in KINDS]
    # An event is a row with an id. The rows of a snapshot have no ids.
    events = {name: _with_id(rows[name]) for name in names}
    snapshot = rows["Snapshot"]
    for field, row_name in (("agents", "AgentRow"), ("tasks", "TaskRow")):
        snapshot["properties"][field]["items"] = {"$ref": prefix + row_name}
    return {
        "Event": {"oneOf": [{"$ref": prefix + name} for name in names]},
        **events,
        "AgentRow": rows["AgentEvent"],
        "TaskRow": rows["TaskEvent"],
        "Skill": rows["Skill"],
        "Snapshot": snapshot,
    }


def _with_id(row: Json) -> Json:
    return {
        **row,
        "properties": {"id": _ID, **row["properties"]},
        "required": ["id", *row["required"]],
    }


def _describe(row: Json) -> None:
    # Docstrings are indented and wrapped.
    text = " ".join(row["description"].split())
    row["description"] = text.replace(" None ", " null ")
    for name, field in row["properties"].items():
        if name in _DESCRIPTIONS:
            field["description"] = _DESCRIPTIONS[name]
        field.update(_LIMITS.get(name, {}))
