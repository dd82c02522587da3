"""Owns the shape of one feed event: its JSON and its SSE frame.

Every other module speaks in these types; the log stores their JSON, the stream
sends their frames.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec
from msgspec import UNSET, Struct, UnsetType

TERMINAL = frozenset({"completed", "error", "cancelled", "rejected"})
WAITING = frozenset({"input-required", "auth-required"})
STATUSES = TERMINAL | WAITING | {"submitted", "running", "unknown"}


# Without cycles there is nothing in them for the garbage collector.
class _Event(Struct, frozen=True, kw_only=True, tag_field="kind", gc=False):
    """An event is one JSON object, told apart by its `kind`."""


class TaskEvent(_Event, frozen=True, kw_only=True, tag="task"):
    """A task's whole current row, so that the last one wins.

    `progress` is 0-100, or None when the agent does not say; `at` is the agent's
    clock, `received_at` the host's, both RFC 3339 in UTC. `result` is there on
    `completed` only, `choices` where it waits and offers answers. `message_id` is the
    A2A messageId behind `message`, `sequence` the agent's own number of the update,
    where it has one, `parent_task_id` the task that started this one through the host,
    if one did.
    """

    agent: str
    task_id: str
    context_id: str | None
    parent_task_id: str | UnsetType = UNSET
    status: str
    state: str
    progress: int | float | None
    message: str | None
    result: str | UnsetType = UNSET
    choices: list[str] | UnsetType = UNSET
    message_id: str | None = None
    sequence: int | UnsetType = UNSET
    at: str | None
    received_at: str

    @property
    def is_open(self) -> bool:
        return self.status not in TERMINAL


class ArtifactEvent(_Event, frozen=True, kw_only=True, tag="artifact"):
    """One chunk of an artifact: `parts` are A2A parts as the agent sent them.

    Without `append` it takes the place of what was told of the artifact before.
    `sequence` is the agent's own number of the update, where it has one.
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
    """An agent's answer that came without a task."""

    agent: str
    context_id: str | None
    message_id: str | None
    message: str
    received_at: str


class Skill(Struct, frozen=True):
    """One skill of an agent's card, with phrases that start it."""

    id: str
    name: str
    description: str
    examples: list[str]


class AgentEvent(_Event, frozen=True, kw_only=True, tag="agent"):
    """An agent's whole current row: who it is, and whether the host reaches it.

    `connection` is connecting, connected, lost or removed; a lost agent says its
    `cause`, which `attempt` failed last and that the next comes in `retry_s` seconds.
    A connected one says over which `binding` (JSONRPC, HTTP+JSON, GRPC), `protocol`
    (1.0, 0.3) and `interface_url`, how its tasks are `followed` (streaming, polling
    every n s), which of them are found (`discovery`), and what `trouble` it makes.
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
    skills: list[Skill] = []
    received_at: str


class GapEvent(_Event, frozen=True, kw_only=True, tag="gap"):
    """Updates of this task may be missing between here and its event before.

    `missing` of them at most; unset where nobody can know how many.
    """

    agent: str
    task_id: str
    context_id: str | None
    message: str
    missing: int | UnsetType = UNSET
    received_at: str


class Snapshot(Struct, frozen=True, kw_only=True):
    """The state of every agent and task after the event `id`: what a reader gets that
    has no usable cursor, and goes on from. `reset` and `reason` say whether it came
    with one, and why that could not be continued."""

    id: int
    now: str
    epoch: str
    reset: bool
    reason: str | None
    agents: list[AgentEvent]
    tasks: list[TaskEvent]


Event: TypeAlias = TaskEvent | ArtifactEvent | MessageEvent | AgentEvent | GapEvent

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


def encode(event: Event) -> bytes:
    """The event's JSON object without its id, which only the log can give."""
    return _encoder.encode(event)


def decode(body: bytes) -> Event:
    """The event of `encode`'s bytes. Raises msgspec.ValidationError."""
    return _decoder.decode(body)


def with_id(event_id: int, body: bytes) -> bytes:
    """`body` with `"id"` as its first key."""
    return b'{"id":%d,%b' % (event_id, body[1:])
