"""Owns the step from an A2A update to feed events; pure, no I/O.

The collector calls `translate` with what the feed already says of the task
(`Known`), appends the events it gets, and notes them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import UNSET

from host import a2a
from host.event import ArtifactEvent, Event, GapEvent, MessageEvent, TaskEvent
from host.progress import percent_of

# The lesson's words where it has one, A2A's for the rest.
STATUS = {
    "TASK_STATE_SUBMITTED": "submitted",
    "TASK_STATE_WORKING": "running",
    "TASK_STATE_COMPLETED": "completed",
    "TASK_STATE_FAILED": "error",
    "TASK_STATE_CANCELED": "cancelled",
    "TASK_STATE_REJECTED": "rejected",
    "TASK_STATE_INPUT_REQUIRED": "input-required",
    "TASK_STATE_AUTH_REQUIRED": "auth-required",
}


@dataclass
class Known:
    """What the feed already says of one task."""

    agent: str
    task_id: str
    row: TaskEvent | None = None
    message_ids: set[str] = field(default_factory=set)
    artifacts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def note(self, events: Iterable[Event]) -> None:
        """Takes in events that the feed has accepted."""
        for event in events:
            if isinstance(event, TaskEvent):
                self.row = event
                if event.message_id:
                    self.message_ids.add(event.message_id)
            elif isinstance(event, ArtifactEvent):
                kept = self.artifacts.get(event.artifact_id, [])
                self.artifacts[event.artifact_id] = (
                    [*kept, *event.parts] if event.append else list(event.parts)
                )


def translate(
    known: Known, update: a2a.StreamResponse, received_at: str
) -> list[Event]:
    """The events that `update` adds to what is `known`, in order; often just one.

    The first terminal state is the last word: what an agent says after it adds
    nothing. A Task is a snapshot: only what it has and the feed has not becomes
    an event.
    """
    if known.row and not known.row.is_open:
        return []
    step = _Step(known, received_at)
    if update.task:
        step.snapshot(update.task)
    elif update.status_update:
        step.status(update.status_update)
    elif update.artifact_update:
        step.artifact(update.artifact_update)
    return step.events


def message_event(agent: str, message: a2a.Message, received_at: str) -> MessageEvent:
    """An answer without a task."""
    return MessageEvent(
        agent=agent,
        context_id=message.context_id or None,
        message_id=message.message_id or None,
        message=a2a.text_of(message.parts),
        received_at=received_at,
    )


def missing(known: Known, why: str, received_at: str) -> GapEvent:
    """Says that updates may be missing after the last known event of the task."""
    return GapEvent(
        agent=known.agent,
        task_id=known.task_id,
        context_id=known.row.context_id if known.row else None,
        message=why,
        received_at=received_at,
    )


def ended(known: Known, why: str, received_at: str) -> TaskEvent:
    """The host's own word that a task is over because its agent cannot say so."""
    blank = TaskEvent(
        agent=known.agent,
        task_id=known.task_id,
        context_id=None,
        status="unknown",
        state="TASK_STATE_UNSPECIFIED",
        progress=None,
        message=None,
        at=None,
        received_at=received_at,
    )
    return msgspec.structs.replace(
        known.row or blank,
        status="error",
        state="TASK_STATE_FAILED",
        message=why,
        message_id=None,
        at=None,
        received_at=received_at,
    )


class _Step:
    """Collects the events of one update; its own events count as known."""

    def __init__(self, known: Known, received_at: str) -> None:
        self.events: list[Event] = []
        self._received_at = received_at
        self._known = Known(
            known.agent,
            known.task_id,
            known.row,
            set(known.message_ids),
            dict(known.artifacts),
        )

    def _add(self, event: Event) -> None:
        self.events.append(event)
        self._known.note([event])

    def snapshot(self, task: a2a.Task) -> None:
        # A message without an id (A2A demands one) cannot be told from one we know.
        said = self._known.message_ids | ({""} if self._known.row else set())
        for message in task.history:
            if message.role == "ROLE_AGENT" and message.message_id not in said:
                # A history entry has no state and no time of its own.
                past = a2a.Status(state="TASK_STATE_WORKING", message=message)
                self._add(self._row(task.context_id, past, {}))
        for artifact in task.artifacts:
            self._repair_artifact(task, artifact)
        self.status(
            a2a.StatusUpdate(
                task_id=task.id,
                context_id=task.context_id,
                status=task.status,
                metadata=task.metadata,
            )
        )

    def _repair_artifact(self, task: a2a.Task, artifact: a2a.Artifact) -> None:
        kept = self._known.artifacts.get(artifact.artifact_id, [])
        fresh = artifact.parts[len(kept) :]
        if fresh:
            whole = a2a.Artifact(
                artifact_id=artifact.artifact_id, name=artifact.name, parts=fresh
            )
            self.artifact(
                a2a.ArtifactUpdate(
                    task_id=task.id,
                    context_id=task.context_id,
                    artifact=whole,
                    append=bool(kept),
                )
            )

    def status(self, update: a2a.StatusUpdate) -> None:
        row = self._row(update.context_id, update.status, update.metadata)
        before = self._known.row
        if before is None or _differs(before, row):
            self._add(row)

    def artifact(self, update: a2a.ArtifactUpdate) -> None:
        self._add(
            ArtifactEvent(
                agent=self._known.agent,
                task_id=self._known.task_id,
                context_id=update.context_id or None,
                artifact_id=update.artifact.artifact_id,
                name=update.artifact.name,
                parts=update.artifact.parts,
                append=update.append,
                last_chunk=update.last_chunk,
                received_at=self._received_at,
            )
        )

    def _row(
        self, context_id: str, status: a2a.Status, metadata: dict[str, Any]
    ) -> TaskEvent:
        before = self._known.row
        message = status.message
        text = a2a.text_of(message.parts) if message else None
        message_id = message.message_id if message else None
        if message is None and before and before.state == status.state:
            text, message_id = before.message, before.message_id
        progress = percent_of(metadata, message.metadata if message else {})
        if before and before.progress is not None:
            progress = max(before.progress, progress or 0)
        word = STATUS.get(status.state, "unknown")
        return TaskEvent(
            agent=self._known.agent,
            task_id=self._known.task_id,
            context_id=context_id or (before.context_id if before else None),
            status=word,
            state=status.state,
            progress=progress,
            message=text or None,
            result=self._result(text) if word == "completed" else UNSET,
            message_id=message_id or None,
            at=status.timestamp,
            received_at=self._received_at,
        )

    def _result(self, last_words: str | None) -> str:
        # Chunks of one artifact carry their own spaces and line ends.
        texts = (a2a.text_of(parts, "") for parts in self._known.artifacts.values())
        return "\n\n".join(text for text in texts if text) or last_words or ""


def _differs(before: TaskEvent, row: TaskEvent) -> bool:
    """Whether `row` says more than the moment at which the host received it."""
    return row != msgspec.structs.replace(before, received_at=row.received_at)
