"""Owns the A2A 1.0 objects that an agent sends, as typed structs out of their JSON.

`parse` makes them and translate reads them. The structs are strict: whatever they
refuse is odd, and goes the slow way, through the SDK's own parser.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec
from a2a.types import a2a_pb2 as pb
from google.protobuf.message import Message as Blank
from msgspec import UNSET, Struct, UnsetType

from ..model.timestamps import moment as moment
from . import protojson

RESUMABLE = "https://courtside.dev/extensions/resumable-stream/v1"
MAX_SEQUENCE = 2**53  # Beyond it neither JavaScript nor protobuf tells numbers apart.

State = Literal[
    "TASK_STATE_UNSPECIFIED",
    "TASK_STATE_SUBMITTED",
    "TASK_STATE_WORKING",
    "TASK_STATE_COMPLETED",
    "TASK_STATE_FAILED",
    "TASK_STATE_CANCELED",
    "TASK_STATE_INPUT_REQUIRED",
    "TASK_STATE_REJECTED",
    "TASK_STATE_AUTH_REQUIRED",
]
Role = Literal["ROLE_UNSPECIFIED", "ROLE_USER", "ROLE_AGENT"]
Json = dict[str, Any]
# A null is left to the slow way: what it means depends on what stands beside it.
Data = Json | list[Any] | str | int | float | bool


# Without cycles there is nothing for the garbage collector.
class _Object(
    Struct,
    rename="camel",
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    gc=False,
):
    """A message of a2a.proto."""


class Part(_Object, frozen=True):
    """Has one of text, raw, url and data; `text: ""` is one too."""

    text: str | UnsetType = UNSET
    raw: bytes | UnsetType = UNSET
    url: str | UnsetType = UNSET
    data: Data | UnsetType = UNSET
    metadata: Json | UnsetType = UNSET
    filename: str = ""
    media_type: str = ""


class Message(_Object, frozen=True):
    message_id: str = ""
    context_id: str = ""
    task_id: str = ""
    role: Role = "ROLE_UNSPECIFIED"
    parts: list[Part] = []
    metadata: Json = {}
    extensions: list[str] = []
    reference_task_ids: list[str] = []


class Status(_Object, frozen=True):
    """`timestamp` is as the agent wrote it; `moment` reads it."""

    state: State = "TASK_STATE_UNSPECIFIED"
    message: Message | None = None
    timestamp: str | None = None


class Artifact(_Object, frozen=True):
    artifact_id: str = ""
    name: str = ""
    description: str = ""
    parts: list[Part] = []
    metadata: Json = {}
    extensions: list[str] = []


class _Numbered(_Object, frozen=True):
    """What may carry a number of the resumable-stream extension."""

    metadata: Json = {}

    @property
    def sequence(self) -> int | None:
        """The number of the update, of a Task that of the last one in it."""
        told = self.metadata.get(RESUMABLE) if self.metadata else None
        number: Any = told.get("sequence") if isinstance(told, dict) else None
        if type(number) not in (int, float) or not 1 <= number <= MAX_SEQUENCE:
            return None
        return int(number) if number % 1 == 0 else None


class Task(_Numbered, frozen=True, kw_only=True):
    id: str = ""
    context_id: str = ""
    status: Status = Status()
    artifacts: list[Artifact] = []
    history: list[Message] = []

    @property
    def task_id(self) -> str:
        return self.id


class StatusUpdate(_Numbered, frozen=True, kw_only=True):
    task_id: str = ""
    context_id: str = ""
    status: Status = Status()


class ArtifactUpdate(_Numbered, frozen=True, kw_only=True):
    task_id: str = ""
    context_id: str = ""
    artifact: Artifact = Artifact()
    append: bool = False
    last_chunk: bool = False


class StreamResponse(_Object, frozen=True):
    """One update of a stream: exactly one field is set. A2A 1.0, section 3.2.3."""

    task: Task | None = None
    message: Message | None = None
    status_update: StatusUpdate | None = None
    artifact_update: ArtifactUpdate | None = None

    @property
    def update(self) -> Task | StatusUpdate | ArtifactUpdate | None:
        """What it says of a task; None for a Message."""
        return self.status_update or self.artifact_update or self.task

    @property
    def task_id(self) -> str | None:
        """None for a Message, and where the agent does not name the task."""
        update = self.update
        return update.task_id or None if update else None


class Listed(NamedTuple):
    """What ListTasks says of a task; `timestamp` is a `moment`."""

    task_id: str
    state: str
    timestamp: str | None


class _ListedTask(Struct, frozen=True):
    """Of a listed task only what tells whether to follow it."""

    id: str
    status: Status = Status()


class _Page(_Object, frozen=True):
    tasks: list[_ListedTask] = []
    next_page_token: str = ""
    page_size: int = 0
    total_size: int = 0


_responses = msgspec.json.Decoder(StreamResponse)
_tasks = msgspec.json.Decoder(Task)
_pages = msgspec.json.Decoder(_Page)

AnyStruct = TypeVar("AnyStruct", bound=Struct)


def parse(data: bytes | msgspec.Raw) -> StreamResponse:
    """One stream response from its JSON.

    Raises ValueError for what is none: no field or several, wrong types, a Task
    without an id, nested too deeply.
    """
    data = bytes(data)
    if plain := parse_plain(data):
        return plain
    body = protojson.loads(data)
    response = _convert(body, pb.StreamResponse(), StreamResponse)
    if not _is_one(response):
        raise ValueError(f"no stream response, but an object of {sorted(body)[:8]}")
    return response


def parse_plain(data: bytes) -> StreamResponse | None:
    """The quick half of `parse`; None where the JSON is odd or none."""
    try:
        response = _responses.decode(data)
    except (ValueError, RecursionError):
        return None
    return response if _is_one(response) and _is_shallow(data, response) else None


def parse_task(data: bytes | msgspec.Raw) -> Task:
    """A Task from its JSON, also where that is wrapped in one more object.

    Raises ValueError for what is none, and for one without an id.
    """
    data = bytes(data)
    try:
        task = _tasks.decode(data)
        if task.id and _is_shallow(data, StreamResponse(task)):
            return task
    except (ValueError, RecursionError):
        pass
    body = protojson.loads(data)
    for candidate in (body.get("task"), body.get("result"), body, *body.values()):
        if (
            isinstance(candidate, dict)
            and candidate.get("id")
            and "status" in candidate
        ):
            return _convert(candidate, pb.Task(), Task)
    raise ValueError(f"no task with an id, but an object of {sorted(body)[:8]}")


def parse_listed(data: bytes | msgspec.Raw) -> tuple[list[Listed], str | None]:
    """The tasks of a ListTasks result, and the token of the next page if there is one.

    A task that says nothing useful but its id is listed all the same. Raises
    ValueError for what is no such result.
    """
    data = bytes(data)
    try:
        page = _pages.decode(data)
    except (ValueError, RecursionError):
        page = _odd_page(protojson.loads(data))
    tasks = [
        Listed(task.id, task.status.state, moment(task.status.timestamp or ""))
        for task in page.tasks
        if task.id
    ]
    return tasks, page.next_page_token or None


def text_of(parts: list[Part], between: str = "\n") -> str:
    """The text parts, one below the other."""
    if len(parts) == 1:
        return parts[0].text or ""
    return between.join(part.text for part in parts if part.text)


def _odd_page(body: Json) -> _Page:
    if isinstance(body.get("result"), dict):
        body = body["result"]
    tasks = body.pop("tasks", None)
    if tasks is None:
        tasks = []
    if not isinstance(tasks, list):
        raise ValueError(f"no list of tasks, but {type(tasks).__name__}")
    token = protojson.canonical(body, pb.ListTasksResponse()).get("nextPageToken", "")
    return _Page([_odd_listed(t) for t in tasks if isinstance(t, dict)], token)


def _odd_listed(body: Json) -> _ListedTask:
    known = {key: value for key, value in body.items() if key in ("id", "status")}
    try:
        return msgspec.convert(protojson.canonical(known, pb.Task()), _ListedTask)
    except ValueError:
        name = known.get("id")
        return _ListedTask(name if isinstance(name, str) else "")


def _convert(body: Json, blank: Blank, kind: type[AnyStruct]) -> AnyStruct:
    return msgspec.convert(protojson.canonical(body, blank), kind)


def _is_one(response: StreamResponse) -> bool:
    task, message = response.task, response.message
    update, chunk = response.status_update, response.artifact_update
    unset = (task, message, update, chunk).count(None)
    return unset == 3 and (task is None or task.id != "")


def _is_shallow(data: bytes, response: StreamResponse) -> bool:
    """Whether it can be written and read again on any stack; mostly free of cost."""
    if data.count(b"{") + data.count(b"[") <= protojson.MAX_DEPTH:
        return True
    return all(_depth(value) <= protojson.MAX_DEPTH for value in _free_form(response))


def _free_form(response: StreamResponse) -> Iterator[Any]:
    """The values in it that may hold any JSON."""
    said, message = response.update, response.message
    holders: list[Message | Artifact] = [message] if message else []
    if isinstance(said, Task):
        holders += [*said.history, *said.artifacts]
    if isinstance(said, ArtifactUpdate):
        holders.append(said.artifact)
    elif said and said.status.message:
        holders.append(said.status.message)
    if said:
        yield said.metadata
    for holder in holders:
        yield holder.metadata
        for part in holder.parts:
            yield from (part.metadata, part.data)


def _depth(value: Any) -> int:
    if not isinstance(value, dict | list):
        return 0
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max([_depth(v) for v in inner if type(v) in (dict, list)], default=0)
