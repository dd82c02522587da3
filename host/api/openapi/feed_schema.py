"""Owns the feed's JSON Schema: every kind of event, and the snapshot, in one document.

Made from the types of event.py, so that it cannot say anything else than the code;
reference.py serves it, and docs/feed.schema.json is a copy of it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ...model.event import (
    STATUSES,
    AgentEvent,
    ArtifactEvent,
    GapEvent,
    MessageEvent,
    Skill,
    Snapshot,
    TaskEvent,
)

Json = dict[str, Any]

FEED_VERSION = 1
"""Grows when a reader of before would misread an event; new fields do not count."""
KINDS = (TaskEvent, ArtifactEvent, MessageEvent, AgentEvent, GapEvent)

_MOMENT = "RFC 3339 in UTC, to the millisecond"
_FIELDS: dict[str, Json] = {
    "agent": {"description": "The name by which the host follows the agent."},
    "append": {"description": "Whether the parts follow those told before."},
    "artifact_id": {"description": "A2A's artifactId."},
    "at": {"description": f"The agent's clock: {_MOMENT}."},
    "attempt": {"description": "Which attempt to reach the agent failed last."},
    "binding": {"description": "JSONRPC, HTTP+JSON or GRPC."},
    "cause": {"description": "Why the agent is lost."},
    "choices": {"description": "The answers that the task's question offers."},
    "connection": {"enum": ["connecting", "connected", "lost", "removed"]},
    "context_id": {"description": "A2A's contextId, where the agent gave one."},
    "discovery": {"description": "Which of the agent's tasks are found."},
    "epoch": {"description": "The log's own id: ids of two epochs do not compare."},
    "followed": {"description": "How its tasks are followed: streaming or polling."},
    "id": {"description": "The event's place in the feed: 1, 2, 3 and so on."},
    "interface_url": {"description": "Where the binding is spoken."},
    "last_chunk": {"description": "Whether the artifact is whole now."},
    "message": {"description": "What the agent says, as text; never markup."},
    "message_id": {"description": "A2A's messageId of `message`."},
    "missing": {"description": "How many updates at most may be missing."},
    "name": {"description": "What the agent calls it."},
    "now": {"description": f"The host's clock as it sends this: {_MOMENT}."},
    "parent_task_id": {"description": "The task that started this one by the host."},
    "parts": {"description": "A2A parts as the agent sent them."},
    "progress": {
        "description": "Per cent; null where the agent does not say.",
        "minimum": 0,
        "maximum": 100,
    },
    "protocol": {"description": "A2A's version that is spoken: 1.0 or 0.3."},
    "reason": {"description": "Why the reader's cursor could not be continued."},
    "received_at": {"description": f"The host's clock: {_MOMENT}."},
    "reset": {"description": "Whether the reader came with a cursor that is no use."},
    "result": {"description": "The text of the artifacts, on `completed`."},
    "retry_s": {"description": "In how many seconds the next attempt comes."},
    "sequence": {"description": "The agent's own number of the update."},
    "state": {"description": "A2A's TaskState."},
    "status": {"enum": sorted(STATUSES)},
    "task_id": {"description": "A2A's task id, as the agent gave it."},
    "trouble": {"description": "What is wrong with an agent that is connected."},
    "url": {"description": "Where the agent is, as the settings have it."},
}
_ID: Json = {"type": "integer", "minimum": 1, **_FIELDS["id"]}


def schema() -> Json:
    """JSON Schema, draft 2020-12: `data` of one server-sent event, or one line of
    /feed.ndjson. Unknown fields are to be left alone: the next release may have more.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:courtside:feed:{FEED_VERSION}",
        "title": f"The feed of Courtside, version {FEED_VERSION}",
        "description": "One event of the feed, or a snapshot of it (the event of the "
        "type `snapshot`). Fields that are not named here are to be ignored.",
        "anyOf": [{"$ref": "#/$defs/Event"}, {"$ref": "#/$defs/Snapshot"}],
        "$defs": definitions("#/$defs/"),
    }


def definitions(prefix: str) -> Json:
    """The schemas by name, referring to each other behind `prefix`."""
    _, rows = msgspec.json.schema_components(
        [*KINDS, Skill, Snapshot], ref_template=prefix + "{name}"
    )
    for row in rows.values():
        _describe(row)
    names = [kind.__name__ for kind in KINDS]
    # An event is its row with an id, that only the log gives; a snapshot's have none.
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
    # Docstrings are indented and wrapped as code is.
    text = " ".join(row["description"].split())
    row["description"] = text.replace(" None ", " null ")
    for name, told in row["properties"].items():
        told.update(_FIELDS.get(name, {}))
