"""The A2A 1.0 objects that an agent sends, as typed structs.

The structs are strict. `a2a_parser` reads JSON that does not fit them with the SDK.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from msgspec import UNSET, Meta, Struct, UnsetType

RESUMABLE = "https://courtside.dev/extensions/resumable-stream/v1"
# Of an id, which may be in a URL, and of a name. Open tasks keep them in memory.
MAX_ID = 2_048
MAX_SEQUENCE = 2**53  # JavaScript and protobuf have larger integers only as doubles.

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
Id = Annotated[str, Meta(max_length=MAX_ID)]
# Without null: only the SDK knows what it means beside the other fields of a part.
Data = Json | list[Any] | str | int | float | bool


# gc=False: without cycles the garbage collector has nothing to do.
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
    """Has one of text, raw, url and data. An empty text counts."""

    text: str | UnsetType = UNSET
    raw: bytes | UnsetType = UNSET
    url: str | UnsetType = UNSET
    data: Data | UnsetType = UNSET
    metadata: Json | UnsetType = UNSET
    filename: str = ""
    media_type: str = ""


class Message(_Object, frozen=True):
    message_id: Id = ""
    context_id: Id = ""
    task_id: Id = ""
    role: Role = "ROLE_UNSPECIFIED"
    parts: list[Part] = []
    metadata: Json = {}
    extensions: list[str] = []
    reference_task_ids: list[str] = []


class Status(_Object, frozen=True):
    """`timestamp` is as the agent wrote it. `timestamps.moment` parses it."""

    state: State = "TASK_STATE_UNSPECIFIED"
    message: Message | None = None
    timestamp: str | None = None


class Artifact(_Object, frozen=True):
    artifact_id: Id = ""
    name: Id = ""
    description: str = ""
    parts: list[Part] = []
    metadata: Json = {}
    extensions: list[str] = []


class _Numbered(_Object, frozen=True):
    """An object that may have a number of the resumable-stream extension."""

    metadata: Json = {}

    @property
    def sequence(self) -> int | None:
        """The number of the update, or of the last update that a Task includes."""
        extension = self.metadata.get(RESUMABLE) if self.metadata else None
        if not isinstance(extension, dict):
            return None
        number: Any = extension.get("sequence")
        if type(number) not in (int, float) or not 1 <= number <= MAX_SEQUENCE:
            return None
        return int(number) if number % 1 == 0 else None


class Task(_Numbered, frozen=True, kw_only=True):
    id: Id = ""
    context_id: Id = ""
    status: Status = Status()
    artifacts: list[Artifact] = []
    history: list[Message] = []

    @property
    def task_id(self) -> str:
        return self.id

    @property
    def message_ids(self) -> set[str]:
        last = self.status.message
        return {
            message.message_id for message in (*self.history, *filter(None, [last]))
        }


class StatusUpdate(_Numbered, frozen=True, kw_only=True):
    task_id: Id = ""
    context_id: Id = ""
    status: Status = Status()


class ArtifactUpdate(_Numbered, frozen=True, kw_only=True):
    task_id: Id = ""
    context_id: Id = ""
    artifact: Artifact = Artifact()
    append: bool = False
    last_chunk: bool = False


TaskUpdate = Task | StatusUpdate | ArtifactUpdate


class StreamResponse(_Object, frozen=True):
    """One update of a stream: exactly one field is set. A2A 1.0, section 3.2.3."""

    task: Task | None = None
    message: Message | None = None
    status_update: StatusUpdate | None = None
    artifact_update: ArtifactUpdate | None = None

    @property
    def update(self) -> TaskUpdate | None:
        """The update of a task; None for a Message."""
        return self.status_update or self.artifact_update or self.task

    @property
    def task_id(self) -> str | None:
        """None for a Message, and where the agent does not name the task."""
        update = self.update
        return update.task_id or None if update else None


class ListedTask(NamedTuple):
    """A task in the result of ListTasks. `timestamp` is parsed."""

    task_id: str
    state: str
    timestamp: str | None


def join_text(parts: list[Part], separator: str = "\n") -> str:
    if len(parts) == 1:
        return parts[0].text or ""
    return separator.join(part.text for part in parts if part.text)
