"""Converts feed events of one task into A2A updates, with the host's numbers. Pure."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress
from typing import NamedTuple, cast

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from ..model.event import TERMINAL, WAITING, ArtifactEvent, GapEvent, TaskEvent
from ..model.timestamps import parse_timestamp
from ..protocol.a2a_objects import (
    RESUMABLE,
    Artifact,
    ArtifactUpdate,
    Json,
    Message,
    Part,
    State,
    Status,
    StatusUpdate,
    StreamResponse,
    Task,
)
from ..protocol.a2a_parser import parse_response
from ..protocol.kept_text import whole_size
from ..protocol.progress import URI as PROGRESS
from ..protocol.task_record import TaskRecord
from ..protocol.task_status import STATUS_OF_STATE, status_of

MAX_HISTORY = 100
SETTLED = TERMINAL | WAITING
RFC3339_UTC = re.compile(r"[\d-]{10}T[\d:]{8}(\.\d{1,9})?Z", re.ASCII)

FeedEvent = TaskEvent | ArtifactEvent | GapEvent


class NumberedUpdate(NamedTuple):
    """A StreamResponse as one line of JSON.

    `number` is None for a Message and for an agent's own Task. `status` is the new
    status of the task, "" if the update does not change it.
    """

    number: int | None
    json: bytes
    status: str = ""

    @property
    def is_settled(self) -> bool:
        """Return whether the task has ended or asks: then a response ends here."""
        return self.status in SETTLED

    @property
    def is_terminal(self) -> bool:
        return self.status in TERMINAL


Updates = AsyncGenerator[list[NumberedUpdate]]


def build_unnumbered(response: StreamResponse) -> NumberedUpdate:
    """Convert an agent's own response to a message."""
    if response.task is None:
        return NumberedUpdate(None, msgspec.json.encode(response))
    return _build_task(None, remove_number(response.task))


def remove_number(task: Task) -> Task:
    """Return an agent's Task without the agent's own number, and with a valid time."""
    metadata = {k: v for k, v in task.metadata.items() if k != RESUMABLE}
    return replace(task, status=_fix_timestamp(task.status), metadata=metadata)


def build_update(
    event: FeedEvent, number: int, raw: bytes | None, before: TaskEvent | None
) -> NumberedUpdate:
    """Convert one event.

    `raw` is the A2A update behind it: its content is kept if it is about this event.
    `before` is the task's row before the event.
    """
    source = _parse(raw)
    if isinstance(event, ArtifactEvent):
        chunk = _build_artifact_update(event, source, number)
        response = StreamResponse(artifact_update=chunk)
        return NumberedUpdate(number, msgspec.json.encode(response))
    gap: Json = {}
    if isinstance(event, GapEvent):
        # The last status again. Our metadata says why updates are missing.
        row, status, source = before, "", None
        gap = {"gap": {"message": event.message}}
        if event.missing is not UNSET:
            gap["gap"]["missing"] = event.missing
    else:
        row, status = event, event.status
    if source and source.status_update:
        metadata = source.status_update.metadata
    else:
        metadata = _progress_metadata(row)
    update = StatusUpdate(
        task_id=event.task_id,
        context_id=event.context_id or "",
        status=_build_status(row, source, f"{event.task_id}-{number}"),
        metadata=_add_number(metadata, number, **gap),
    )
    response = StreamResponse(status_update=update)
    return NumberedUpdate(number, msgspec.json.encode(response), status)


class TaskBuilder:
    """Builds a Task from its events, as far as the feed has them."""

    def __init__(self, agent: str, task_id: str) -> None:
        self.known = TaskRecord(agent, task_id)
        self.number = 0
        self.row_id: int | None = None  # The event with the task's row.
        self._texts: dict[str, str] = {}  # By message id.
        self._message = ""  # The last one of which the feed has all.

    def add(self, event_id: int, number: int, event: FeedEvent) -> None:
        self.known.add([event])
        self.number = number or self.number
        if isinstance(event, TaskEvent):
            self.row_id = event_id
            # Later rows may have only the start of a long message.
            if event.message and whole_size(event) is None:
                message_id = event.message_id or f"{event.task_id}-{event_id}"
                self._texts[message_id] = self._message = event.message
                if len(self._texts) > MAX_HISTORY + 1:
                    del self._texts[next(iter(self._texts))]

    def build(self, raw: bytes | None) -> NumberedUpdate:
        """`raw` is the A2A update behind the task's row."""
        source, known, row = _parse(raw), self.known, self._find_row()
        agents_task = source.task if source else None
        if (
            agents_task
            and row
            and self.number == 1
            and _is_status_of(row, agents_task.status)
        ):
            # The agent's Task was the only update so far: it is complete.
            task = remove_number(agents_task)
        else:
            status = _build_status(row, source, f"{known.task_id}-{self.row_id}")
            context_id = (row.context_id if row else None) or ""
            task = Task(
                id=known.task_id,
                context_id=context_id,
                status=status,
                artifacts=[
                    Artifact(key, kept.name or "", parts=_to_parts(kept.parts))
                    for key, kept in known.artifacts.items()
                ],
                history=self._build_history(status, context_id),
                metadata=_progress_metadata(row),
            )
        metadata = _add_number(task.metadata, self.number)
        return _build_task(self.number, replace(task, metadata=metadata))

    def _find_row(self) -> TaskEvent | None:
        """Return the task's row with its whole message, if the feed has that."""
        row = self.known.row
        if row and row.message and self._message.startswith(row.message):
            return replace(row, message=self._message)
        return row

    def _build_history(self, status: Status, context_id: str) -> list[Message]:
        current = status.message.message_id if status.message else None
        return [
            _build_message(message_id, self.known.task_id, context_id, text)
            for message_id, text in self._texts.items()
            if message_id != current
        ]


def task_from_row(row: TaskEvent) -> Task:
    """Build a Task without history and artifacts."""
    return Task(
        id=row.task_id,
        context_id=row.context_id or "",
        status=_build_status(row, None, f"{row.task_id}-now"),
        metadata=_progress_metadata(row),
    )


def limit_history(task: Task, max_messages: int | None) -> Task:
    """Keep only the newest messages; None keeps all."""
    if max_messages is None:
        return task
    return replace(task, history=task.history[-max_messages:][:max_messages])


def take_until_settled(updates: Iterable[NumberedUpdate]) -> list[NumberedUpdate]:
    """Return the updates up to the first that ends the response to a message."""
    taken: list[NumberedUpdate] = []
    for update in updates:
        taken.append(update)
        if update.is_settled:
            break
    return taken


def _parse(raw: bytes | None) -> StreamResponse | None:
    with suppress(ValueError):
        return parse_response(raw) if raw else None
    return None


def _build_task(number: int | None, task: Task) -> NumberedUpdate:
    data = msgspec.json.encode(StreamResponse(task=task))
    return NumberedUpdate(number, data, status_of(task.status.state))


def _build_artifact_update(
    event: ArtifactEvent, source: StreamResponse | None, number: int
) -> ArtifactUpdate:
    metadata: Json = {}
    artifact = Artifact(event.artifact_id, event.name or "")
    if source and (update := source.artifact_update):
        artifact, metadata = update.artifact, update.metadata
    elif source and source.task:
        by_id = {one.artifact_id: one for one in source.task.artifacts}
        artifact = by_id.get(event.artifact_id, artifact)
    return ArtifactUpdate(
        task_id=event.task_id,
        context_id=event.context_id or "",
        artifact=replace(artifact, parts=_to_parts(event.parts)),
        append=event.append,
        last_chunk=event.last_chunk,
        metadata=_add_number(metadata, number),
    )


def _add_number(metadata: Json, number: int, **more: Json) -> Json:
    return {**metadata, RESUMABLE: {"sequence": number, **more}}


def _progress_metadata(row: TaskEvent | None) -> Json:
    if row is None or row.progress is None:
        return {}
    return {PROGRESS: {"aggregate": {"progress": row.progress, "total": 100}}}


def _build_status(
    row: TaskEvent | None, source: StreamResponse | None, message_id: str
) -> Status:
    """Return the agent's own status, else one from the row.

    `message_id` is for a row without one.
    """
    if row is None:
        return Status()
    if source and source.status_update:
        return _fix_timestamp(source.status_update.status)
    if source and source.task and _is_status_of(row, source.task.status):
        return _fix_timestamp(source.task.status)
    message = None
    if source and source.message:
        message = replace(
            source.message,
            message_id=source.message.message_id or message_id,
            task_id=row.task_id,
            context_id=row.context_id or "",
        )
    elif row.message:
        message = _build_message(
            row.message_id or message_id, row.task_id, row.context_id or "", row.message
        )
    state = row.state if row.state in STATUS_OF_STATE else "TASK_STATE_UNSPECIFIED"
    return Status(cast("State", state), message, row.at or row.received_at)


def _is_status_of(row: TaskEvent, status: Status) -> bool:
    """Return whether the row comes from this status, not from the Task's history."""
    message_id = status.message.message_id if status.message else ""
    return row.state == status.state and (row.message_id or "") == message_id


def _fix_timestamp(status: Status) -> Status:
    """Write an unusual timestamp as RFC 3339, which every client can read."""
    stamp = parse_timestamp(status.timestamp) if status.timestamp else None
    if stamp and status.timestamp and RFC3339_UTC.fullmatch(status.timestamp):
        return status
    return replace(status, timestamp=stamp)


def _build_message(
    message_id: str, task_id: str, context_id: str, text: str
) -> Message:
    return Message(message_id, context_id, task_id, "ROLE_AGENT", [Part(text)])


def _to_parts(parts: list[Json]) -> list[Part]:
    return msgspec.convert(parts, list[Part])
