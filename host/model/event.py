"""The events of the feed: their fields and their JSON."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET, Struct, UnsetType

TERMINAL = frozenset({"completed", "error", "cancelled", "rejected"})
WAITING = frozenset({"input-required", "auth-required"})
STATUSES = TERMINAL | WAITING | {"submitted", "running", "unknown"}


# gc=False: events have no reference cycles, so the garbage collector can skip them.
class _Event(Struct, frozen=True, kw_only=True, tag_field="kind", gc=False):
    """An event is one JSON object. Its `kind` names the type."""

    @property
    def is_update(self) -> bool:
        """Whether the event counts as an update of its agent or task.

        The host's own notices do not: the gateway neither sends nor numbers them.
        """
        return True


class TaskEvent(_Event, frozen=True, kw_only=True, tag="task"):
    """The complete current row of a task. The last row wins.

    `progress` is 0-100, or None if the agent does not report it. `at` is the time of
    the agent's clock, `received_at` of the host's clock: RFC 3339 in UTC. `result` is
    set on `completed` only. If a text is cut, `shortened` has its name and the size of
    the whole in bytes, and `result_artifacts` are the artifacts with the whole result.
    `choices` are the offered answers of a question.
    `message_id` is the A2A messageId of `message`. `sequence` is the agent's own number
    of the update. `parent_task_id` is the task that started this one through the host.
    `stalled_since` is the time of the last news, in a row that the host writes because
    none came. It is None in a row that only ends this state.
    An agent may answer a reply with a new task: it `continues` the old task, whose row
    names it as `continued_by` until the agent updates the old task again.
    """

    agent: str
    task_id: str
    context_id: str | None
    parent_task_id: str | UnsetType = UNSET
    continues: str | UnsetType = UNSET
    continued_by: str | UnsetType = UNSET
    status: str
    state: str
    progress: int | float | None
    message: str | None
    result: str | UnsetType = UNSET
    shortened: dict[str, int] | UnsetType = UNSET
    result_artifacts: list[str] | UnsetType = UNSET
    choices: list[str] | UnsetType = UNSET
    message_id: str | None = None
    sequence: int | UnsetType = UNSET
    stalled_since: str | UnsetType | None = UNSET
    at: str | None
    received_at: str

    @property
    def is_open(self) -> bool:
        return self.status not in TERMINAL

    @property
    def is_stalled(self) -> bool:
        return isinstance(self.stalled_since, str)

    @property
    def is_update(self) -> bool:
        return self.stalled_since is UNSET

    @property
    def needs_input(self) -> bool:
        """Return whether the task waits for an answer that no other task has."""
        return self.status in WAITING and self.continued_by is UNSET


class ArtifactEvent(_Event, frozen=True, kw_only=True, tag="artifact"):
    """One chunk of an artifact. `parts` are the A2A parts as the agent sent them.

    Without `append`, it replaces the earlier chunks of the artifact. `sequence` is the
    agent's own number of the update.
    """

    agent: str
    task_id: str
    context_id: str | None
    artifact_id: str
    name: str | None
    parts: list[dict[str, Any]]
    append: bool
    last_chunk: bool
    sequence: int | UnsetType = UNSET
    received_at: str


class MessageEvent(_Event, frozen=True, kw_only=True, tag="message"):
    """A message from an agent that belongs to no task."""

    agent: str
    context_id: str | None
    message_id: str | None
    message: str
    received_at: str


class Skill(Struct, frozen=True):
    """One skill of an agent's card. `examples` are requests that start it."""

    id: str
    name: str
    description: str
    examples: list[str]


class AgentEvent(_Event, frozen=True, kw_only=True, tag="agent"):
    """The complete current row of an agent.

    `connection` is connecting, connected, lost or removed. If it is lost: `cause`, the
    number of the last failed `attempt`, and `retry_s`, the seconds until the next one.
    If it is connected: `binding` (JSONRPC, HTTP+JSON, GRPC), `protocol` (1.0, 0.3),
    `interface_url`, how its tasks are `followed` (streaming, polling every n s), which
    tasks are found (`discovery`), its `trouble`, and `lint`: what is wrong with its
    responses although the host can read them.
    `found_from` and `found_until` are times of the agent's clock: the feed has every
    listed task with a status from between them.
    """

    agent: str
    url: str
    connection: str
    cause: str | None = None
    attempt: int = 0
    retry_s: float | None = None
    title: str | None = None
    description: str | None = None
    version: str | None = None
    binding: str | None = None
    protocol: str | None = None
    interface_url: str | None = None
    followed: str | None = None
    discovery: str | None = None
    trouble: str | None = None
    lint: list[str] | UnsetType = UNSET
    found_from: str | UnsetType = UNSET
    found_until: str | UnsetType = UNSET
    skills: list[Skill] = []
    received_at: str


class GapEvent(_Event, frozen=True, kw_only=True, tag="gap"):
    """Updates may be missing between this event and the task's previous one.

    `missing` is the largest possible number. It is unset if that is unknown. With
    `new_task`, the agent has given the task's id to another task: all events after this
    one are of that task.
    """

    agent: str
    task_id: str
    context_id: str | None
    message: str
    missing: int | UnsetType = UNSET
    new_task: bool | UnsetType = UNSET
    received_at: str


class NoticeEvent(_Event, frozen=True, kw_only=True, tag="notice"):
    """The host noticed something about a task. `notice` is stalled or resumed."""

    agent: str
    task_id: str
    context_id: str | None
    notice: str
    message: str
    received_at: str

    @property
    def is_update(self) -> bool:
        return False


class Snapshot(Struct, frozen=True, kw_only=True):
    """The state of all agents and tasks after the event `id`.

    A reader without a usable cursor gets it, and continues from it. `reset`: the reader
    had a cursor that could not be continued, because of `reason`. It has a limit in
    bytes: texts of its rows may be shortened, and `tasks_left_out` rows are missing.
    """

    id: int
    now: str
    epoch: str
    reset: bool
    reason: str | None
    agents: list[AgentEvent]
    tasks: list[TaskEvent]
    tasks_left_out: int | UnsetType = UNSET


Event: TypeAlias = (
    TaskEvent | ArtifactEvent | MessageEvent | AgentEvent | GapEvent | NoticeEvent
)

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


def encode(event: Event) -> bytes:
    """Encode an event without its id. The log assigns the id."""
    return _encoder.encode(event)


def decode(body: bytes) -> Event:
    """Decode the bytes of `encode`. Raises msgspec.ValidationError."""
    return _decoder.decode(body)


def with_id(event_id: int, body: bytes) -> bytes:
    """Return `body` with `"id"` as its first key."""
    return b'{"id":%d,%b' % (event_id, body[1:])
