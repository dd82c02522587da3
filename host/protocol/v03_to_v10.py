"""Converts the JSON of A2A 0.3 objects to 1.0.

Lenient: infers a missing kind, and leaves out missing fields.
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
# Half-migrated agents send the names of 1.0.
NAMES_OF_V10 = {name: name for name in (*STATES.values(), *ROLES.values())}
# The fields that have the same name in 1.0. Snake case is read too.
SAME_FIELDS = {
    "append": "append",
    "artifactId": "artifact_id",
    "contextId": "context_id",
    "description": "description",
    "extensions": "extensions",
    "id": "id",
    "lastChunk": "last_chunk",
    "messageId": "message_id",
    "metadata": "metadata",
    "name": "name",
    "referenceTaskIds": "reference_task_ids",
    "taskId": "task_id",
}
FILE_FIELDS = {
    "bytes": "raw",
    "uri": "url",
    "name": "filename",
    "mimeType": "mediaType",
}


def convert_result(result: Json) -> Json:
    """Convert any result of 0.3 to a StreamResponse of 1.0.

    Raises ValueError for another object.
    """
    kind = result.get("kind") or infer_kind(result)
    if kind == "task":
        return {"task": convert_task(result)}
    if kind == "message":
        return {"message": _convert_message(result)}
    if kind == "status-update":
        return {"statusUpdate": {**_same_fields(result), **_status_field(result)}}
    if kind == "artifact-update":
        chunk = _convert_artifact(_object(result.get("artifact")))
        return {"artifactUpdate": {**_same_fields(result), "artifact": chunk}}
    (inner,) = result.values() if len(result) == 1 else (None,)
    if isinstance(inner, dict) and (inner.get("kind") or infer_kind(inner)):
        return convert_result(inner)
    raise ValueError(f"not a result of A2A 0.3: its keys are {sorted(result)[:8]}")


def convert_task(task: Json) -> Json:
    artifacts = [_convert_artifact(item) for item in _objects(task, "artifacts")]
    history = [_convert_message(item) for item in _objects(task, "history")]
    lists = {"artifacts": artifacts, "history": history}
    return {**_same_fields(task), **_status_field(task), **lists}


def _convert_message(message: Json) -> Json:
    role = _convert_name(message.get("role"), ROLES) or "ROLE_UNSPECIFIED"
    return {**_same_fields(message), "role": role, "parts": _convert_parts(message)}


def _convert_artifact(artifact: Json) -> Json:
    return {**_same_fields(artifact), "parts": _convert_parts(artifact)}


def _convert_parts(body: Json) -> list[Json]:
    return [_convert_part(item) for item in _objects(body, "parts")]


def _convert_part(part: Json) -> Json:
    kind = part.get("kind") or part.get("type")
    kind = kind or next((k for k in ("text", "file", "data") if k in part), None)
    if kind is None and ("raw" in part or "url" in part):
        return part  # A file of 1.0.
    metadata = part.get("metadata")
    if kind == "text":
        content: Json = {"text": part.get("text")}
    elif kind == "data":
        data = part.get("data")
        if metadata:
            metadata = dict(_object(metadata))
            # The SDK wraps data of 1.0 that is no object.
            if metadata.pop("data_part_compat", False):
                data = _object(data).get("value")
        metadata = metadata or None
        content = {"data": data}
    elif kind == "file":
        content = convert_file(_object(part.get("file")))
    else:
        raise ValueError(f"a part of an unknown kind: {str(kind)[:40]}")
    return content if metadata is None else {**content, "metadata": metadata}


def convert_file(file: Json) -> Json:
    fields = {
        new: file[old] for old, new in FILE_FIELDS.items() if file.get(old) is not None
    }
    if "mime_type" in file:
        fields.setdefault("mediaType", file["mime_type"])
    return fields


def infer_kind(result: Json) -> str | None:
    if "artifact" in result:
        return "artifact-update"
    if "messageId" in result or "message_id" in result:
        return "message"
    if "status" in result:
        return "task" if "id" in result else "status-update"
    return None


def _status_field(body: Json) -> Json:
    if body.get("status") is None:
        return {}
    status = _object(body["status"])
    state = _convert_name(status.get("state"), STATES) or "TASK_STATE_UNSPECIFIED"
    converted: Json = {"state": state}
    if status.get("message"):
        converted["message"] = _convert_message(_object(status["message"]))
    if status.get("timestamp"):
        converted["timestamp"] = status["timestamp"]
    return {"status": converted}


def _convert_name(name: Any, names: dict[str, str]) -> str | None:
    return names.get(str(name)) or NAMES_OF_V10.get(str(name))


def _same_fields(body: Json) -> Json:
    fields = {}
    for name, snake in SAME_FIELDS.items():
        value = body.get(name)
        if value is None:
            value = body.get(snake)
        if value is not None:
            fields[name] = value
    return fields


def _object(value: Any) -> Json:
    if not isinstance(value, dict):
        raise ValueError(f"an object was expected, not {type(value).__name__}")
    return value


def _objects(body: Json, name: str) -> list[Json]:
    items = body.get(name)
    if items is None:
        return []
    if not isinstance(items, list):
        raise ValueError(f"{name} must be a list, not {type(items).__name__}")
    return [_object(item) for item in items]
