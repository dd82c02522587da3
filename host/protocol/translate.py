"""Owns the step from an A2A update to feed events; pure, no I/O.

The follower calls `translate` with what the feed already says of the task
(`Known`), appends the events it gets, and notes them.
"""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from ..model.event import TERMINAL, Event, MessageEvent, TaskEvent
from . import a2a
from .gaps import Update, gap_before
from .reconcile import reconcile
from .rows import STATUS as STATUS
from .rows import Sequence, artifact_of, at_of, differs, is_before, row_of
from .task_knowledge import Kept
from .task_knowledge import Known as Known


def translate(
    known: Known,
    update: a2a.StreamResponse,
    received_at: str,
    unwatched: str | None = None,
) -> list[Event]:
    """The events that `update` adds to what is `known`, in order; often just one.

    Leaves `known` alone: the caller notes what the feed takes. `unwatched` says why
    updates may have passed unseen since the last one, if they may.

    The first terminal state is the last word: what an agent says after it adds
    nothing. A number says what an update is; without one an update is as new as its
    content, and a gap stands before it if it was `unwatched`. A Task is a snapshot:
    only what it has and the feed has not becomes an event.
    """
    said = update.update
    row = known.row
    if said is None or (row is not None and row.status in TERMINAL):
        return []
    if said.task_id and said.task_id != known.task_id:
        return []  # Another task's, which has a follower of its own.
    number = said.sequence
    if number is not None and _is_told(known, said, number):
        return []
    events = _events(known, said, received_at, UNSET if number is None else number)
    gap = gap_before(known, said, received_at, unwatched)
    return [gap, *events] if gap and events else events


def message_event(agent: str, message: a2a.Message, received_at: str) -> MessageEvent:
    """An answer without a task."""
    return MessageEvent(
        agent=agent,
        context_id=message.context_id or None,
        message_id=message.message_id or None,
        message=a2a.text_of(message.parts),
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
    return replace(
        known.row or blank,
        status="error",
        state="TASK_STATE_FAILED",
        message=why,
        choices=UNSET,
        message_id=None,
        sequence=UNSET,
        at=None,
        received_at=received_at,
    )


def _is_told(known: Known, said: Update, number: int) -> bool:
    """Whether the feed is past this number, and the number can be believed.

    It cannot where an agent lost its memory and began to count again: then a task
    that is open in the feed has ended, or a Task that contains less than the feed
    is later than it.
    """
    row = known.row
    if known.sequence is None or number > known.sequence:
        return False
    if row is None or isinstance(said, a2a.ArtifactUpdate):
        return True
    if STATUS.get(said.status.state) in TERMINAL:
        return False
    if isinstance(said, a2a.StatusUpdate) or number == known.sequence:
        return True
    return not is_before(row.at, at_of(said.status))


def _events(
    known: Known, said: Update, received_at: str, sequence: Sequence
) -> list[Event]:
    if isinstance(said, a2a.StatusUpdate):
        row = row_of(
            known, said.context_id, said.status, said.metadata, received_at, sequence
        )
        is_new = sequence is not UNSET or _says_more(known, row)
        return [row] if is_new else []
    if isinstance(said, a2a.ArtifactUpdate):
        return _chunk(known, said, received_at, sequence)
    return reconcile(known, said, received_at, sequence)


def _says_more(known: Known, row: TaskEvent) -> bool:
    """Whether a row without a number says what the feed has not been told."""
    before = known.row
    if before is None:
        return True
    if row.message_id in known.message_ids and row.message_id != before.message_id:
        # Some agents play a stream again, from its start, to whoever comes back.
        return row.status in TERMINAL or is_before(before.at, row.at)
    return differs(before, row)


def _chunk(
    known: Known, update: a2a.ArtifactUpdate, received_at: str, sequence: Sequence
) -> list[Event]:
    kept = known.artifacts.get(update.artifact.artifact_id)
    event = artifact_of(
        known,
        update.artifact,
        received_at,
        # Some agents append to what is not there yet.
        append=update.append and kept is not None,
        last_chunk=update.last_chunk,
        sequence=sequence,
        context_id=update.context_id,
    )
    if sequence is UNSET and kept and not event.append:
        whole = Kept(event.parts, event.name or kept.name, event.last_chunk)
        return [] if whole == kept else [event]
    return [event]
