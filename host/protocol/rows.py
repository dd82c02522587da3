"""Owns how one A2A status or artifact is worded as a feed event.

translate and reconcile compare the rows and chunks made here with what the feed says.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from ..model.event import WAITING, ArtifactEvent, TaskEvent
from ..model.timestamps import moment
from . import a2a
from .progress import percent_of
from .task_knowledge import Known

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

Sequence = int | UnsetType
Choices = list[str] | UnsetType
# What fits on buttons; a longer list is the text's affair.
MAX_CHOICES = 12
MAX_CHOICE_CHARS = 100


def row_of(
    known: Known,
    context_id: str,
    status: a2a.Status,
    metadata: dict[str, Any],
    received_at: str,
    sequence: Sequence,
) -> TaskEvent:
    before, message = known.row, status.message
    text = message_id = None
    choices: Choices = UNSET
    word = STATUS.get(status.state, "unknown")
    percent = percent_of(metadata) if metadata else None
    if message is not None:
        text, message_id = a2a.text_of(message.parts), message.message_id
        if word in WAITING:
            choices = _choices(message.parts)
        if percent is None and message.metadata:
            percent = percent_of(message.metadata)
    if before is not None:
        if message is None and before.state == status.state:
            text, message_id = before.message, before.message_id
            choices = before.choices
        if before.progress is not None:
            percent = max(before.progress, percent or 0)
        context_id = context_id or before.context_id or ""
    return TaskEvent(
        agent=known.agent,
        task_id=known.task_id,
        context_id=context_id or None,
        parent_task_id=known.parent_task_id,
        status=word,
        state=status.state,
        progress=percent,
        message=text or None,
        result=_result(known, text) if word == "completed" else UNSET,
        choices=choices,
        message_id=message_id or None,
        sequence=sequence,
        at=at_of(status),
        received_at=received_at,
    )


def artifact_of(
    known: Known,
    artifact: a2a.Artifact,
    received_at: str,
    *,
    context_id: str,
    append: bool = False,
    last_chunk: bool = False,
    sequence: Sequence = UNSET,
) -> ArtifactEvent:
    before = known.row
    return ArtifactEvent(
        agent=known.agent,
        task_id=known.task_id,
        context_id=context_id or (before.context_id if before else None),
        artifact_id=artifact.artifact_id,
        name=artifact.name or None,
        parts=msgspec.to_builtins(artifact.parts),
        append=append,
        last_chunk=last_chunk,
        sequence=sequence,
        received_at=received_at,
    )


def _result(known: Known, last_words: str | None) -> str:
    texts = (kept.text for kept in known.artifacts.values())
    return "\n\n".join(text for text in texts if text) or last_words or ""


def _choices(parts: list[a2a.Part]) -> Choices:
    """The answers that a question offers in a data part, `{"choices": ["A", "B"]}`."""
    for part in parts:
        said = part.data.get("choices") if isinstance(part.data, dict) else None
        if isinstance(said, list) and 0 < len(said) <= MAX_CHOICES:
            fit = all(type(c) is str and 0 < len(c) <= MAX_CHOICE_CHARS for c in said)
            return said if fit else UNSET
    return UNSET


def at_of(status: a2a.Status) -> str | None:
    return moment(status.timestamp) if status.timestamp else None


def is_before(one: str | None, other: str | None) -> bool:
    """Whether both are known, and `one` is the earlier."""
    return one is not None and other is not None and one < other


def differs(before: TaskEvent, row: TaskEvent) -> bool:
    """Whether `row` says more than the moment at which the host received it."""
    return (
        (row.at is not None and row.at != before.at)
        or row.state != before.state
        or row.progress != before.progress
        or row.message != before.message
        or row.message_id != before.message_id
        or row.context_id != before.context_id
    )
