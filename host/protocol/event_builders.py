"""Builds feed events from A2A objects: task rows, artifact chunks, messages."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from ..model.event import WAITING, ArtifactEvent, MessageEvent, TaskEvent
from ..model.timestamps import parse_timestamp
from .a2a_objects import Artifact, Message, Part, Status, join_text
from .progress import percent_of
from .task_record import TaskRecord
from .task_result import add_result
from .task_status import status_of

Sequence = int | UnsetType
Choices = list[str] | UnsetType
# What fits on buttons. A longer list stays in the question's text.
MAX_CHOICES = 12
MAX_CHOICE_CHARS = 100


def build_row(
    record: TaskRecord,
    status: Status,
    *,
    context_id: str,
    metadata: dict[str, Any],
    received_at: str,
    sequence: Sequence = UNSET,
) -> TaskEvent:
    """Build the task's row. What `status` leaves out is as in the row before.

    Of a long message that it repeats, the row has only the start.
    """
    before, message = record.row, agent_message(status)
    text = message_id = None
    choices: Choices = UNSET
    shortened: dict[str, int] | UnsetType = UNSET
    continued_by: str | UnsetType = UNSET
    word = status_of(status.state)
    percent = percent_of(metadata) if metadata else None
    if message is not None:
        text, message_id = join_text(message.parts), message.message_id
        if word in WAITING:
            choices = _find_choices(message.parts)
        if percent is None and message.metadata:
            percent = percent_of(message.metadata)
    if before is not None:
        if message is None and before.state == status.state:
            text, message_id = before.message, before.message_id
            choices, shortened = before.choices, before.shortened
        if (before.state, before.message_id) == (status.state, message_id or None):
            continued_by = before.continued_by  # The same question again.
        if before.progress is not None:
            percent = max(before.progress, percent or 0)
        # It never changes. Some agents answer from replicas that differ.
        context_id = before.context_id or context_id
    row = TaskEvent(
        agent=record.agent,
        task_id=record.task_id,
        context_id=context_id or None,
        parent_task_id=record.parent_task_id,
        continues=record.continues,
        continued_by=continued_by,
        status=word,
        state=status.state,
        progress=percent,
        message=text or None,
        shortened=shortened,
        choices=choices,
        message_id=message_id or None,
        sequence=sequence,
        at=status_time(status),
        received_at=received_at,
    )
    if word != "completed":
        return row
    return add_result(row, record)


def build_lost_row(row: TaskEvent, reason: str, received_at: str) -> TaskEvent:
    """Build the row after `row` of a task whose agent cannot say how it ended."""
    return replace(
        row,
        status="error",
        state="TASK_STATE_FAILED",
        message=reason,
        shortened=UNSET,
        choices=UNSET,
        message_id=None,
        sequence=UNSET,
        stalled_since=UNSET,
        at=None,
        received_at=received_at,
    )


def build_artifact_event(
    record: TaskRecord,
    artifact: Artifact,
    *,
    context_id: str,
    received_at: str,
    append: bool = False,
    last_chunk: bool = False,
    sequence: Sequence = UNSET,
) -> ArtifactEvent:
    before = record.row
    return ArtifactEvent(
        agent=record.agent,
        task_id=record.task_id,
        context_id=context_id or (before.context_id if before else None),
        artifact_id=artifact.artifact_id,
        name=artifact.name or None,
        parts=msgspec.to_builtins(artifact.parts),
        append=append,
        last_chunk=last_chunk,
        sequence=sequence,
        received_at=received_at,
    )


def build_message_event(agent: str, message: Message, received_at: str) -> MessageEvent:
    """Build the event of a response without a task."""
    return MessageEvent(
        agent=agent,
        context_id=message.context_id or None,
        message_id=message.message_id or None,
        message=join_text(message.parts),
        received_at=received_at,
    )


def agent_message(status: Status) -> Message | None:
    """Return the message of a status, unless it is the user's: some agents repeat it.

    A question is the agent's, whatever its role says.
    """
    message = status.message
    is_users = message is not None and message.role == "ROLE_USER"
    return None if is_users and status_of(status.state) not in WAITING else message


def status_time(status: Status) -> str | None:
    return parse_timestamp(status.timestamp) if status.timestamp else None


def is_before(one: str | None, other: str | None) -> bool:
    """Return whether both timestamps are known, and `one` is earlier."""
    return one is not None and other is not None and one < other


def has_news(record: TaskRecord, row: TaskEvent) -> bool:
    """Return whether `row` differs from the row before, except in its times."""
    before = record.row
    return (
        before is None
        or row.state != before.state
        or row.progress != before.progress
        or not record.has_message(row)
        or row.message_id != before.message_id
        or row.context_id != before.context_id
    )


def _find_choices(parts: list[Part]) -> Choices:
    """Return the answers that a question offers: `{"choices": ["A", "B"]}` as data."""
    for part in parts:
        found = part.data.get("choices") if isinstance(part.data, dict) else None
        if isinstance(found, list) and 0 < len(found) <= MAX_CHOICES:
            fit = all(type(c) is str and 0 < len(c) <= MAX_CHOICE_CHARS for c in found)
            return found if fit else UNSET
    return UNSET
