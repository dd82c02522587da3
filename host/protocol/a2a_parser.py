"""Parses A2A JSON into the structs of `a2a_objects`.

JSON that does not fit the structs is parsed again, slowly, by the SDK's lenient parser.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec
from a2a.types import a2a_pb2 as pb
from google.protobuf.message import Message as ProtoMessage
from msgspec import Struct

from ..model.timestamps import parse_timestamp
from . import lenient_json
from .a2a_objects import (
    MAX_ID,
    Artifact,
    ArtifactUpdate,
    Json,
    ListedTask,
    Message,
    Status,
    StreamResponse,
    Task,
)
from .v03_forms import convert_parts, wrap_update


class _ListItem(Struct, frozen=True):
    """The fields of a listed task that show whether to follow it."""

    id: str
    status: Status = Status()


class _Page(Struct, rename="camel", frozen=True, forbid_unknown_fields=True, gc=False):
    tasks: list[_ListItem] = []
    next_page_token: str = ""
    page_size: int = 0
    total_size: int = 0


PAGE_FIELDS = {"nextPageToken", "pageSize", "totalSize"}
PAGE_FIELDS |= {"next_page_token", "page_size", "total_size"}
MAX_ERROR_TEXT = 300

_response_decoder = msgspec.json.Decoder(StreamResponse)
_task_decoder = msgspec.json.Decoder(Task)
_page_decoder = msgspec.json.Decoder(_Page)

AnyStruct = TypeVar("AnyStruct", bound=Struct)


def parse_response(data: bytes | msgspec.Raw) -> StreamResponse:
    """Parse one stream response.

    Raises ValueError for other JSON: no field or several, wrong types, a Task without
    an id, nested too deeply.
    """
    data = bytes(data)
    if strict := parse_strict(data):
        return strict
    body = wrap_update(lenient_json.decode(data))
    response = _normalize(body, pb.StreamResponse(), StreamResponse)
    if not _has_one_field(response):
        raise ValueError(f"not a stream response: its keys are {sorted(body)[:8]}")
    return response


def parse_strict(data: bytes) -> StreamResponse | None:
    """Parse a stream response that fits the structs; return None for other data."""
    try:
        response = _response_decoder.decode(data)
    except (ValueError, RecursionError):
        return None
    is_valid = _has_one_field(response) and _is_shallow(data, response)
    return response if is_valid else None


def parse_task(data: bytes | msgspec.Raw) -> Task:
    """Parse a Task, which may be wrapped in one more object.

    Raises ValueError for other JSON, and for a Task without an id.
    """
    data = bytes(data)
    try:
        task = _task_decoder.decode(data)
        if task.id and _is_shallow(data, StreamResponse(task)):
            return task
    except (ValueError, RecursionError):
        pass
    body = convert_parts(lenient_json.decode(data))
    for candidate in (body.get("task"), body.get("result"), body, *body.values()):
        if (
            isinstance(candidate, dict)
            and candidate.get("id")
            and "status" in candidate
        ):
            return _normalize(candidate, pb.Task(), Task)
    raise ValueError(f"not a task with an id: its keys are {sorted(body)[:8]}")


def parse_list(data: bytes | msgspec.Raw) -> tuple[list[ListedTask], str | None]:
    """Parse a ListTasks result: its tasks, and the token of the next page, if any.

    A task is listed even if only its id is readable. A bare list of tasks counts, and
    so does an object without fields: ProtoJSON leaves out an empty list. Raises
    ValueError for all other JSON, with the agent's own error if it has one.
    """
    data = bytes(data)
    try:
        page = _page_decoder.decode(data)
    except (ValueError, RecursionError):
        page = _parse_page_leniently(data)
    if any(len(task.id) > MAX_ID for task in page.tasks):
        raise ValueError(f"a listed task has an id of over {MAX_ID:,} characters")
    tasks = [
        ListedTask(
            task.id, task.status.state, parse_timestamp(task.status.timestamp or "")
        )
        for task in page.tasks
        if task.id
    ]
    return tasks, page.next_page_token or None


def _parse_page_leniently(data: bytes) -> _Page:
    if data.strip() == b"null":
        raise ValueError("no list of tasks, but null")
    if data.lstrip().startswith(b"["):
        data = b'{"tasks": %b}' % data
    body = lenient_json.decode(data)
    if isinstance(body.get("result"), dict):
        body = body["result"]
    if error := body.get("error"):
        raise ValueError(f"no list of tasks, but an error: {_error_text(error)}")
    tasks = body.pop("tasks", None)
    if tasks is None:
        if not body.keys() <= PAGE_FIELDS:
            raise ValueError(f"no list of tasks: its keys are {sorted(body)[:8]}")
        tasks = []
    if not isinstance(tasks, list):
        raise ValueError(f"no list of tasks, but {type(tasks).__name__}")
    items = [_parse_item_leniently(item) for item in tasks if isinstance(item, dict)]
    if tasks and not any(item.id for item in items):
        raise ValueError("no list of tasks: none of its items has an id")
    fields = {key: value for key, value in body.items() if key in PAGE_FIELDS}
    return _Page(items, _find_token(fields))


def _error_text(error: Any) -> str:
    message = error.get("message") if isinstance(error, dict) else None
    return str(message or error)[:MAX_ERROR_TEXT]


def _find_token(fields: Json) -> str:
    """Return the token of the next page. The other fields may be unreadable."""
    token = fields.get("nextPageToken", fields.get("next_page_token"))
    return "" if token is None or isinstance(token, bool | dict | list) else str(token)


def _parse_item_leniently(body: Json) -> _ListItem:
    fields = {key: value for key, value in body.items() if key in ("id", "status")}
    try:
        return _normalize(fields, pb.Task(), _ListItem)
    except ValueError:
        task_id = fields.get("id")
        return _ListItem(task_id if isinstance(task_id, str) else "")


def _normalize(body: Json, message: ProtoMessage, kind: type[AnyStruct]) -> AnyStruct:
    return msgspec.convert(lenient_json.normalize(body, message), kind)


def _has_one_field(response: StreamResponse) -> bool:
    task, message = response.task, response.message
    status_update, artifact_update = response.status_update, response.artifact_update
    unset = (task, message, status_update, artifact_update).count(None)
    return unset == 3 and (task is None or task.id != "")


def _is_shallow(data: bytes, response: StreamResponse) -> bool:
    """Return whether any JSON library can write and read the response.

    Counting the brackets is cheap, and mostly enough.
    """
    brackets = len(data) - len(data.translate(None, b"{["))  # Faster than two counts.
    if brackets <= lenient_json.MAX_DEPTH:
        return True
    values = _free_form_values(response)
    return all(_depth(value) <= lenient_json.MAX_DEPTH for value in values)


def _free_form_values(response: StreamResponse) -> Iterator[Any]:
    """Yield the values in the response that may hold any JSON."""
    update, message = response.update, response.message
    holders: list[Message | Artifact] = [message] if message else []
    if isinstance(update, Task):
        holders += [*update.history, *update.artifacts]
    if isinstance(update, ArtifactUpdate):
        holders.append(update.artifact)
    elif update and update.status.message:
        holders.append(update.status.message)
    if update:
        yield update.metadata
    for holder in holders:
        yield holder.metadata
        for part in holder.parts:
            yield from (part.metadata, part.data)


def _depth(value: Any) -> int:
    if not isinstance(value, dict | list):
        return 0
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max([_depth(v) for v in inner if type(v) in (dict, list)], default=0)
