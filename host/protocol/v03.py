"""Owns the step from A2A 0.3's objects to 1.0's, on plain JSON; pure.

The JSON-RPC 0.3 binding translates each result with it. Lenient: a missing kind is
inferred, a missing field is left out.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

STATES = {
    "submitted": "TASK_STATE_SUBMITTED",
    "working": "TASK_STATE_WORKING",
    "completed": "TASK_STATE_COMPLETED",
    "failed": "TASK_STATE_FAILED",
    "canceled": "TASK_STATE_CANCELED",
    "input-required": "TASK_STATE_INPUT_REQUIRED",
    "rejected": "TASK_STATE_REJECTED",
    "auth-required": "TASK_STATE_AUTH_REQUIRED",
}
ROLES = {"user": "ROLE_USER", "agent": "ROLE_AGENT"}
# What both versions have under one name, with the other spelling that is read.
SAME = {
    name: "".join(
        f"_{letter.lower()}" if letter.isupper() else letter for letter in name
    )
    for name in (
        *("append", "artifactId", "contextId", "description", "extensions", "id"),
        *("lastChunk", "messageId", "metadata", "name", "referenceTaskIds", "taskId"),
    )
}


def stream_response(result: Json) -> Json:
    """A StreamResponse of 1.0 from any result of 0.3. Raises ValueError for others."""
    kind = result.get("kind") or _kind(result)
    if kind == "task":
        return {"task": task(result)}
    if kind == "message":
        return {"message": message(result)}
    if kind == "status-update":
        return {"statusUpdate": {**_same(result), **_status_in(result)}}
    if kind == "artifact-update":
        chunk = artifact(_object(result.get("artifact")))
        return {"artifactUpdate": {**_same(result), "artifact": chunk}}
    (inner,) = result.values() if len(result) == 1 else (None,)
    if isinstance(inner, dict) and (inner.get("kind") or _kind(inner)):
        return stream_response(inner)
    raise ValueError(f"no result of A2A 0.3, but an object of {sorted(result)[:8]}")


def task(body: Json) -> Json:
    artifacts = [artifact(item) for item in _objects(body, "artifacts")]
    history = [message(item) for item in _objects(body, "history")]
    lists = {"artifacts": artifacts, "history": history}
    return {**_same(body), **_status_in(body), **lists}


def message(body: Json) -> Json:
    role = ROLES.get(str(body.get("role")), "ROLE_UNSPECIFIED")
    return {**_same(body), "role": role, "parts": _parts(body)}


def artifact(body: Json) -> Json:
    return {**_same(body), "parts": _parts(body)}


def part(body: Json) -> Json:
    kind = body.get("kind") or body.get("type")
    kind = kind or next((k for k in ("text", "file", "data") if k in body), None)
    metadata = body.get("metadata")
    if kind == "text":
        content: Json = {"text": body.get("text")}
    elif kind == "data":
        data = body.get("data")
        if metadata:
            metadata = dict(_object(metadata))
            # As the SDK carries a value of 1.0 that is no object.
            if metadata.pop("data_part_compat", False):
                data = _object(data).get("value")
        metadata = metadata or None
        content = {"data": data}
    elif kind == "file":
        content = _file(_object(body.get("file")))
    else:
        raise ValueError(f"a part of an unknown kind: {str(kind)[:40]}")
    return content if metadata is None else {**content, "metadata": metadata}


def _file(body: Json) -> Json:
    names = {"bytes": "raw", "uri": "url", "name": "filename", "mimeType": "mediaType"}
    found = {new: body[old] for old, new in names.items() if body.get(old) is not None}
    if "mime_type" in body:
        found.setdefault("mediaType", body["mime_type"])
    return found


def _kind(result: Json) -> str | None:
    """The kind, where the agent does not say it."""
    if "artifact" in result:
        return "artifact-update"
    if "messageId" in result or "message_id" in result:
        return "message"
    if "status" in result:
        return "task" if "id" in result else "status-update"
    return None


def _status_in(body: Json) -> Json:
    status = body.get("status")
    if status is None:
        return {}
    status = _object(status)
    state = STATES.get(str(status.get("state")), "TASK_STATE_UNSPECIFIED")
    told: Json = {"state": state}
    if status.get("message"):
        told["message"] = message(_object(status["message"]))
    if status.get("timestamp"):
        told["timestamp"] = status["timestamp"]
    return {"status": told}


def _parts(body: Json) -> list[Json]:
    return [part(item) for item in _objects(body, "parts")]


def _same(body: Json) -> Json:
    found = {}
    for name, snake in SAME.items():
        value = body.get(name)
        if value is None and snake != name:
            value = body.get(snake)
        if value is not None:
            found[name] = value
    return found


def _object(value: Any) -> Json:
    if not isinstance(value, dict):
        raise ValueError(f"an object was expected, not {type(value).__name__}")
    return value


def _objects(body: Json, name: str) -> list[Json]:
    items = body.get(name)
    if items is None:
        return []
    if not isinstance(items, list):
        raise ValueError(f"{name} is no list, but {type(items).__name__}")
    return [_object(item) for item in items]
