"""Owns how a streamed update is written as JSON: as protobuf does it, only faster.

resume.py keeps what is written here, bindings.py sends it.
"""

from typing import Any

import msgspec
from a2a.server.events import Event
from a2a.types.a2a_pb2 import (
    Message,
    Part,
    Role,
    TaskState,
    TaskStatus,
    TaskStatusUpdateEvent,
)
from a2a.utils.proto_utils import to_stream_response
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct, Value


def written(event: Event) -> str:
    """The JSON of a StreamResponse with `event` in it, on one line.

    The same text as json.dumps(MessageToDict(…)) gives. For a status update, which
    most are, that walks through the descriptors of protobuf for what is known here.
    """
    if isinstance(event, TaskStatusUpdateEvent):
        body = {"statusUpdate": _status_update(event)}
    else:
        body = MessageToDict(to_stream_response(event))
    return msgspec.json.format(msgspec.json.encode(body), indent=0).decode()


def _status_update(event: TaskStatusUpdateEvent) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if event.task_id:
        body["taskId"] = event.task_id
    if event.context_id:
        body["contextId"] = event.context_id
    if event.HasField("status"):
        body["status"] = _status(event.status)
    if event.HasField("metadata"):
        body["metadata"] = _struct(event.metadata)
    return body


def _status(status: TaskStatus) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if status.state:
        body["state"] = TaskState.Name(status.state)
    if status.HasField("message"):
        body["message"] = _message(status.message)
    if status.HasField("timestamp"):
        body["timestamp"] = status.timestamp.ToJsonString()
    return body


def _message(message: Message) -> dict[str, Any]:
    if message.reference_task_ids:
        return dict(MessageToDict(message))
    body: dict[str, Any] = {}
    if message.message_id:
        body["messageId"] = message.message_id
    if message.context_id:
        body["contextId"] = message.context_id
    if message.task_id:
        body["taskId"] = message.task_id
    if message.role:
        body["role"] = Role.Name(message.role)
    if message.parts:
        body["parts"] = [_part(part) for part in message.parts]
    if message.HasField("metadata"):
        body["metadata"] = _struct(message.metadata)
    if message.extensions:
        body["extensions"] = list(message.extensions)
    return body


def _part(part: Part) -> dict[str, Any]:
    if part.HasField("text") and len(part.ListFields()) == 1:
        return {"text": part.text}
    return dict(MessageToDict(part))


def _struct(struct: Struct) -> dict[str, Any]:
    fields = struct.fields
    return {name: _value(fields[name]) for name in fields}


def _value(value: Value) -> Any:
    match value.WhichOneof("kind"):
        case "number_value":
            return value.number_value
        case "string_value":
            return value.string_value
        case "struct_value":
            return _struct(value.struct_value)
        case "list_value":
            return [_value(each) for each in value.list_value.values]
        case "bool_value":
            return value.bool_value
    return None
