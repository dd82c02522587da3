"""Translates an A2A update to feed events, by what the feed has of its task.

docs/reconciliation.md has the rules with examples.
"""

from __future__ import annotations

from typing import cast

from msgspec import UNSET
from msgspec.structs import replace

from ..model.event import Event, TaskEvent
from .a2a_objects import (
    ArtifactUpdate,
    Message,
    State,
    Status,
    StatusUpdate,
    StreamResponse,
    Task,
    TaskUpdate,
    join_text,
)
from .artifact_record import ArtifactRecord
from .event_builders import (
    Sequence,
    build_artifact_event,
    build_row,
    has_news,
    is_before,
    status_time,
)
from .gaps import build_gap, gap_before
from .reconcile import reconcile
from .task_record import TaskRecord, status_key
from .task_status import is_terminal


def translate(
    record: TaskRecord,
    response: StreamResponse,
    received_at: str,
    pending_gap: str | None = None,
) -> list[Event]:
    """Return the events that the response adds to the feed, in order; often just one.

    Does not change `record`. `pending_gap` is the reason for a gap that must stand
    before new events.

    The first terminal state is final: later updates add nothing. A numbered update is
    new by its number, another one by its content. Of a Task, only what the feed does
    not have becomes an event. A Message becomes a row with the state before it.
    """
    if record.has_ended:
        return []
    update = response.update
    if update is None:
        return _translate_message(record, response.message, received_at, pending_gap)
    if update.task_id and update.task_id != record.task_id:
        return []  # Another follower has that task.
    number = update.sequence
    if number is not None and _is_recorded(record, update, number):
        return []
    sequence = UNSET if number is None else number
    events = _build_events(record, update, received_at, sequence)
    if number is None and not pending_gap:
        return events
    gap = gap_before(record, update, received_at, pending_gap)
    return [gap, *events] if gap and (events or _is_later(record, update)) else events


def _is_later(record: TaskRecord, update: TaskUpdate) -> bool:
    """Return whether a Task shows that a status without other news was missed."""
    if record.row is None or not isinstance(update, Task):
        return False
    at = status_time(update.status)
    is_known = record.task_at is not None and not is_before(record.task_at, at)
    return is_before(record.row.at, at) and not is_known


def note_time(record: TaskRecord, response: StreamResponse) -> None:
    """Remember the time of a Task, which may add nothing else."""
    at = status_time(response.task.status) if response.task else None
    record.task_at = max(record.task_at or "", at or "") or None


def note_superseded(record: TaskRecord, task: Task) -> None:
    """Remember the time of a Task that came after a gap."""
    at = status_time(task.status)
    record.superseded_at = max(record.superseded_at or "", at or "") or None


def note_last_message(record: TaskRecord, task: Task) -> None:
    """Remember the agent's last message, if older ones came after it.

    A Task without the message that was the last one so far is too old to tell.
    """
    last = task.status.message
    messages = [*task.history, last] if last else task.history
    texts = [
        join_text(message.parts)
        for message in messages
        if message.message_id in record.message_ids
    ]
    last_message = record.last_message
    if last_message and any(last_message.equals(text) for text in texts):
        record.note_last_message(texts[-1])


def _translate_message(
    record: TaskRecord,
    message: Message | None,
    received_at: str,
    pending_gap: str | None,
) -> list[Event]:
    """Translate a Message in the stream of the task (A2A 1.0 allows none there)."""
    if message is None or message.role == "ROLE_USER":
        return []
    before = record.row
    state = cast("State", before.state) if before else "TASK_STATE_WORKING"
    row = build_row(
        record,
        Status(state, message),
        context_id=message.context_id,
        metadata={},
        received_at=received_at,
    )
    if before:
        row = replace(row, at=before.at)
        is_same = row.message_id == before.message_id and record.has_message(row)
        if row.message_id and is_same:
            return []
    if pending_gap and not record.is_empty:
        return [build_gap(record, pending_gap, received_at), row]
    return [row]


def _is_recorded(record: TaskRecord, update: TaskUpdate, number: int) -> bool:
    """Return whether the feed has the update with this number already.

    An agent that lost its memory counts again from the start. Its numbers prove
    nothing: neither for the end of a task that is open in the feed, nor for a Task
    that is newer than the feed's row although its number is lower.
    """
    row = record.row
    if record.sequence is None or number > record.sequence:
        return False
    if row is None or isinstance(update, ArtifactUpdate):
        return True
    if is_terminal(update.status.state):
        return False
    if isinstance(update, StatusUpdate) or number == record.sequence:
        return True
    return not is_before(row.at, status_time(update.status))


def _build_events(
    record: TaskRecord, update: TaskUpdate, received_at: str, sequence: Sequence
) -> list[Event]:
    if isinstance(update, ArtifactUpdate):
        return _build_chunk(record, update, received_at, sequence)
    if not isinstance(update, StatusUpdate):
        return reconcile(record, update, received_at, sequence)
    row = build_row(
        record,
        update.status,
        context_id=update.context_id,
        metadata=update.metadata,
        received_at=received_at,
        sequence=sequence,
    )
    message = update.status.message
    # Nothing but its place in the stream tells such a message from an equal one.
    is_unmarked = message is not None and not message.message_id and row.at is None
    is_new = sequence is not UNSET or is_unmarked or _is_new_row(record, update, row)
    return [row] if is_new else []


def _is_new_row(record: TaskRecord, update: StatusUpdate, row: TaskEvent) -> bool:
    before = record.row
    if before is None:
        return True
    if _is_in_task(record, update, row):
        return False
    if row.message_id in record.message_ids and row.message_id != before.message_id:
        # Some agents send a stream again from its start to a client that reconnects.
        return not row.is_open or is_before(before.at, row.at)
    if has_news(record, row):
        return row.at is None or status_key(row) not in record.statuses
    return row.at is not None and (before.at is None or before.at < row.at)


def _is_in_task(record: TaskRecord, update: StatusUpdate, row: TaskEvent) -> bool:
    """Return whether a Task already had what is new in an open status.

    That is its message, or else its progress: after a gap, a newer one is in the feed.
    """
    before = record.row
    if row.at is None or before is None or row.state != before.state:
        return False
    if update.status.message is None:
        return is_before(row.at, record.superseded_at)
    # Some agents send a message in parts, each with the whole so far and the same id.
    known = record.message_ids.get(row.message_id or "")
    return known == hash(row.message or "") and row.at <= (record.task_at or "")


def _build_chunk(
    record: TaskRecord, update: ArtifactUpdate, received_at: str, sequence: Sequence
) -> list[Event]:
    recorded = record.artifacts.get(update.artifact.artifact_id)
    event = build_artifact_event(
        record,
        update.artifact,
        context_id=update.context_id,
        received_at=received_at,
        # Some agents append to an artifact that does not exist yet.
        append=update.append
        and (recorded is not None or record.has_all_artifacts_that_fit),
        last_chunk=update.last_chunk,
        sequence=sequence,
    )
    if sequence is UNSET and recorded and not event.append:
        whole = ArtifactRecord(
            event.parts, event.name or recorded.name, event.last_chunk
        )
        return [] if recorded.is_same(whole) else [event]
    return [event]
