"""Owns the comparison of a Task, as its agent holds it, with what the feed says of it.

translate hands it every Task; what it gives back goes into the feed.
"""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from ..model.event import TERMINAL, Event, TaskEvent
from . import a2a
from .rows import STATUS, Sequence, artifact_of, at_of, differs, is_before, row_of
from .task_knowledge import Known, unseen


def reconcile(
    known: Known, task: a2a.Task, received_at: str, sequence: Sequence
) -> list[Event]:
    """What `task` has and the feed has not: messages, artifacts, then the state.

    A message is the same by its id, an artifact by what it holds. A task that is
    older than the feed's row, by the agent's own clock, adds what it has but does
    not take anything back: neither the state, unless it is an end, nor an artifact.
    """
    return _Comparison(known, task, received_at, sequence).events


class _Comparison:
    def __init__(
        self, known: Known, task: a2a.Task, received_at: str, sequence: Sequence
    ) -> None:
        self.events: list[Event] = []
        self._known = known.copy()
        self._task = task
        self._received_at = received_at
        self._sequence = sequence
        row = known.row
        # The row that stays as it is, because the task is a copy from before it.
        self._kept_row = row if row and self._is_older_than(row) else None
        self._add_messages(said_before=row is not None)
        for artifact in {a.artifact_id: a for a in task.artifacts}.values():
            self._add_artifact(artifact)
        self._add_state()

    def _is_older_than(self, row: TaskEvent) -> bool:
        status = self._task.status
        return (
            self._sequence is UNSET
            and STATUS.get(status.state) not in TERMINAL
            and is_before(at_of(status), row.at)
        )

    def _add(self, event: Event) -> None:
        self.events.append(event)
        self._known.note((event,))

    def _add_messages(self, *, said_before: bool) -> None:
        messages, last = self._task.history, self._task.status.message
        of_state = ""
        if last and self._kept_row:
            messages = [*messages, last]
        elif last:
            of_state = last.message_id  # Some agents have it in both places.
        for message in messages:
            if message.role != "ROLE_AGENT" or message.message_id == of_state != "":
                continue
            # Without an id (A2A demands one) it cannot be told from one we know.
            if message.message_id in self._known.message_ids or (
                said_before and not message.message_id
            ):
                continue
            self._add_message(message)

    def _add_message(self, message: a2a.Message) -> None:
        # A history entry has no state and no time of its own.
        past = a2a.Status("TASK_STATE_WORKING", message)
        context_id, now = self._task.context_id, self._kept_row
        row = row_of(self._known, context_id, past, {}, self._received_at, UNSET)
        if now:
            row = replace(row, status=now.status, state=now.state, at=now.at)
        self._add(row)

    def _add_artifact(self, artifact: a2a.Artifact) -> None:
        kept = self._known.artifacts.get(artifact.artifact_id)
        event = artifact_of(
            self._known, artifact, self._received_at, context_id=self._task.context_id
        )
        parts = unseen(kept.parts, event.parts) if kept else None
        if parts:
            self._add(replace(event, parts=parts, append=True))
        elif parts is None and not (kept and self._kept_row):
            self._add(event)

    def _add_state(self) -> None:
        task, before = self._task, self._known.row
        row = row_of(
            self._known,
            task.context_id,
            task.status,
            task.metadata,
            self._received_at,
            self._sequence,
        )
        if self._kept_row:
            # Also behind messages that were late.
            row = replace(
                self._kept_row,
                progress=row.progress,
                sequence=UNSET,
                received_at=self._received_at,
            )
        if self._sequence is not UNSET or before is None or differs(before, row):
            self._add(row)
