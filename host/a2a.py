"""Owns the A2A 1.0 objects that a stream carries, as plain typed structs.

`parse` turns the JSON of one stream response into them; translate reads them.
Only what the host uses is named; unknown fields are ignored, as the
specification asks (section 3.6, forward compatibility).
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct


class Message(Struct, rename="camel", frozen=True, kw_only=True):
    message_id: str = ""
    context_id: str = ""
    task_id: str = ""
    role: str = ""
    parts: list[dict[str, Any]] = []
    metadata: dict[str, Any] = {}


class Status(Struct, rename="camel", frozen=True, kw_only=True):
    state: str = "TASK_STATE_UNSPECIFIED"
    message: Message | None = None
    timestamp: str | None = None


class Artifact(Struct, rename="camel", frozen=True, kw_only=True):
    artifact_id: str = ""
    name: str | None = None
    parts: list[dict[str, Any]] = []


class Task(Struct, rename="camel", frozen=True, kw_only=True):
    id: str
    context_id: str = ""
    status: Status = Status()
    artifacts: list[Artifact] = []
    history: list[Message] = []
    metadata: dict[str, Any] = {}


class StatusUpdate(Struct, rename="camel", frozen=True, kw_only=True):
    task_id: str
    context_id: str = ""
    status: Status
    metadata: dict[str, Any] = {}


class ArtifactUpdate(Struct, rename="camel", frozen=True, kw_only=True):
    task_id: str
    context_id: str = ""
    artifact: Artifact
    append: bool = False
    last_chunk: bool = False


class StreamResponse(Struct, rename="camel", frozen=True, kw_only=True):
    """One update of a stream: exactly one field is set. A2A 1.0, section 3.2.3."""

    task: Task | None = None
    message: Message | None = None
    status_update: StatusUpdate | None = None
    artifact_update: ArtifactUpdate | None = None

    @property
    def task_id(self) -> str | None:
        if self.task:
            return self.task.id
        update = self.status_update or self.artifact_update
        return update.task_id if update else None


_decoder = msgspec.json.Decoder(StreamResponse)


def parse(data: bytes) -> StreamResponse:
    """One stream response from its JSON. Raises msgspec.DecodeError."""
    return _decoder.decode(data)


def text_of(parts: list[dict[str, Any]], between: str = "\n") -> str:
    """The text parts, one below the other."""
    return between.join(part["text"] for part in parts if part.get("text"))
