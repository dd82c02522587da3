"""Owns how the feed's events of one task are worded as A2A updates; pure, no I/O.

The tape puts the task's own numbers on them, and sends what is made here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple, cast

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from ..model.event import TERMINAL, WAITING, ArtifactEvent, GapEvent, TaskEvent
from ..model.timestamps import moment
from ..protocol import a2a
from ..protocol.a2a import RESUMABLE
from ..protocol.progress import URI as PROGRESS
from ..protocol.rows import STATUS
from ..protocol.task_knowledge import Known

MAX_HISTORY = 100
SETTLED = TERMINAL | WAITING
PLAIN_TIME = re.compile(r"[\d-]{10}T[\d:]{8}(\.\d{1,9})?Z", re.ASCII)

Told = TaskEvent | ArtifactEvent | GapEvent


class Numbered(NamedTuple):
    """One update of a stream: a StreamResponse's JSON on one line.

    `number` is None where it has none; `settles` says that a message's stream ends
    with it, `ends` that its task's does.
    """

    number: int | None
    json: bytes
    settles: bool = False
    ends: bool = False


def unnumbered(response: a2a.StreamResponse) -> Numbered:
    """An agent's own answer. Its number, if it has one, is not one of ours."""
    if response.task is None:
        return Numbered(None, msgspec.json.encode(response))
    task = own(response.task)
    return Numbered(
        None, msgspec.json.encode(a2a.StreamResponse(task=task)), *_end_of(task.status)
    )


def own(task: a2a.Task) -> a2a.Task:
    """An agent's Task without the number that only the agent could make sense of."""
    metadata = {k: v for k, v in task.metadata.items() if k != RESUMABLE}
    return replace(task, status=_sound(task.status), metadata=metadata)


def update_of(
    event: Told, number: int, raw: bytes | None, state: TaskEvent | None
) -> Numbered:
    """The update that says what `event` does.

    `raw` is the A2A update behind it, whose own words are used where they say no more
    than the event; `state` the task's row before it.
    """
    said = _parsed(raw)
    if isinstance(event, ArtifactEvent):
        chunk = _chunk(event, said, number)
        return Numbered(
            number, msgspec.json.encode(a2a.StreamResponse(artifact_update=chunk))
        )
    if isinstance(event, TaskEvent):
        update, ends = _status_update(event, said, number), event.status in TERMINAL
        settles = event.status in SETTLED
    else:
        update, settles, ends = _gap(event, state, number), False, False
    response = a2a.StreamResponse(status_update=update)
    return Numbered(number, msgspec.json.encode(response), settles, ends)


class Fold:
    """One task out of its events: as much of it as the feed has."""

    def __init__(self, agent: str, task_id: str) -> None:
        self.known = Known(agent, task_id)
        self.number = 0
        self.last: int | None = None  # The id of the event with the task's row.
        self._words: dict[str, str] = {}

    def note(self, event_id: int, number: int, event: Told) -> None:
        self.known.note([event])
        self.number = number or self.number
        if isinstance(event, TaskEvent):
            self.last = event_id
            if event.message:
                key = event.message_id or f"{event.task_id}-{event_id}"
                self._words[key] = event.message
                if len(self._words) > MAX_HISTORY + 1:
                    del self._words[next(iter(self._words))]

    def task(self, raw: bytes | None) -> Numbered:
        """`raw` is the A2A update behind the task's row."""
        said, known, row = _parsed(raw), self.known, self.known.row
        told = said.task if said else None
        if told and row and self.number == 1 and _is_status_of(row, told.status):
            # It brought one event: so nothing of it was told before.
            task = own(told)
        else:
            status = _status(row, said, f"{known.task_id}-{self.last}")
            context_id = (row.context_id if row else None) or ""
            task = a2a.Task(
                id=known.task_id,
                context_id=context_id,
                status=status,
                artifacts=[
                    a2a.Artifact(key, kept.name or "", parts=_parts(kept.parts))
                    for key, kept in known.artifacts.items()
                ],
                history=self._history(status, context_id),
                metadata=_progress(row),
            )
        task = replace(task, metadata=_numbered(task.metadata, self.number))
        settles, ends = _end_of(task.status)
        data = msgspec.json.encode(a2a.StreamResponse(task=task))
        return Numbered(self.number, data, settles, ends)

    def _history(self, status: a2a.Status, context_id: str) -> list[a2a.Message]:
        now = status.message.message_id if status.message else None
        return [
            _message(key, self.known.task_id, context_id, text)
            for key, text in self._words.items()
            if key != now
        ]


def row_task(row: TaskEvent) -> a2a.Task:
    """A task as its row alone has it."""
    return a2a.Task(
        id=row.task_id,
        context_id=row.context_id or "",
        status=_status(row, None, f"{row.task_id}-now"),
        metadata=_progress(row),
    )


def shortened(task: a2a.Task, history_length: int | None) -> a2a.Task:
    """With no more than so many of the latest messages; None for all."""
    if history_length is None:
        return task
    return replace(task, history=task.history[-history_length:][:history_length])


def until_settled(updates: Iterable[Numbered]) -> list[Numbered]:
    """All of them, or those up to the first that ends a message's stream."""
    told: list[Numbered] = []
    for update in updates:
        told.append(update)
        if update.settles:
            break
    return told


def _parsed(raw: bytes | None) -> a2a.StreamResponse | None:
    with suppress(ValueError):
        return a2a.parse(raw) if raw else None
    return None


def _status_update(
    event: TaskEvent, said: a2a.StreamResponse | None, number: int
) -> a2a.StatusUpdate:
    if said and said.status_update:
        metadata = said.status_update.metadata
    else:
        metadata = _progress(event)
    return a2a.StatusUpdate(
        task_id=event.task_id,
        context_id=event.context_id or "",
        status=_status(event, said, f"{event.task_id}-{number}"),
        metadata=_numbered(metadata, number),
    )


def _chunk(
    event: ArtifactEvent, said: a2a.StreamResponse | None, number: int
) -> a2a.ArtifactUpdate:
    metadata: a2a.Json = {}
    artifact = a2a.Artifact(event.artifact_id, event.name or "")
    if said and said.artifact_update:
        artifact, metadata = (
            said.artifact_update.artifact,
            said.artifact_update.metadata,
        )
    elif said and said.task:
        of_task = {one.artifact_id: one for one in said.task.artifacts}
        artifact = of_task.get(event.artifact_id, artifact)
    return a2a.ArtifactUpdate(
        task_id=event.task_id,
        context_id=event.context_id or "",
        artifact=replace(artifact, parts=_parts(event.parts)),
        append=event.append,
        last_chunk=event.last_chunk,
        metadata=_numbered(metadata, number),
    )


def _gap(event: GapEvent, state: TaskEvent | None, number: int) -> a2a.StatusUpdate:
    """The status as it was, and in our metadata why updates are missing here."""
    gap: a2a.Json = {"message": event.message}
    if event.missing is not UNSET:
        gap["missing"] = event.missing
    return a2a.StatusUpdate(
        task_id=event.task_id,
        context_id=event.context_id or "",
        status=_status(state, None, f"{event.task_id}-{number}"),
        metadata=_numbered(_progress(state), number, gap=gap),
    )


def _numbered(metadata: a2a.Json, number: int, **more: a2a.Json) -> a2a.Json:
    return {**metadata, RESUMABLE: {"sequence": number, **more}}


def _progress(row: TaskEvent | None) -> a2a.Json:
    if row is None or row.progress is None:
        return {}
    return {PROGRESS: {"aggregate": {"progress": row.progress, "total": 100}}}


def _status(
    row: TaskEvent | None, said: a2a.StreamResponse | None, blank_id: str
) -> a2a.Status:
    """The agent's own, else as the row has it."""
    if row is None:
        return a2a.Status()
    if said and said.status_update:
        return _sound(said.status_update.status)
    if said and said.task and _is_status_of(row, said.task.status):
        return _sound(said.task.status)
    message = None
    if row.message:
        message = _message(
            row.message_id or blank_id, row.task_id, row.context_id or "", row.message
        )
    state = row.state if row.state in STATUS else "TASK_STATE_UNSPECIFIED"
    return a2a.Status(cast(a2a.State, state), message, row.at or row.received_at)


def _is_status_of(row: TaskEvent, status: a2a.Status) -> bool:
    """Whether a Task's row says its status, and not a message of its history."""
    said = status.message.message_id if status.message else ""
    return row.state == status.state and (row.message_id or "") == said


def _sound(status: a2a.Status) -> a2a.Status:
    """With a timestamp that every reader understands."""
    stamp = moment(status.timestamp) if status.timestamp else None
    if stamp and status.timestamp and PLAIN_TIME.fullmatch(status.timestamp):
        return status
    return replace(status, timestamp=stamp)


def _end_of(status: a2a.Status) -> tuple[bool, bool]:
    word = STATUS.get(status.state)
    return word in SETTLED, word in TERMINAL


def _message(key: str, task_id: str, context_id: str, text: str) -> a2a.Message:
    return a2a.Message(key, context_id, task_id, "ROLE_AGENT", [a2a.Part(text)])


def _parts(parts: list[a2a.Json]) -> list[a2a.Part]:
    return msgspec.convert(parts, list[a2a.Part])
