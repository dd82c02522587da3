"""Compares a Task, as its agent has it, with the feed, and builds the missing events.

docs/reconciliation.md has the rules with examples.
"""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from ..model.event import Event, TaskEvent
from .a2a_objects import Artifact, Message, Status, Task
from .artifact_parts import new_parts
from .event_builders import (
    Sequence,
    build_artifact_event,
    build_row,
    has_news,
    is_before,
    status_time,
)
from .task_record import TaskRecord
from .task_status import is_terminal


def reconcile(
    record: TaskRecord, task: Task, received_at: str, sequence: Sequence
) -> list[Event]:
    """Return what `task` has and the feed has not: messages, artifacts, then the state.

    A message is the same by its id, an artifact by its content. A task that is older
    than the feed's row, by the agent's clock, only adds. It takes nothing back: neither
    the state, unless it is terminal, nor an artifact.
    """
    return _Reconciliation(record, task, received_at, sequence).events


class _Reconciliation:
    def __init__(
        self, record: TaskRecord, task: Task, received_at: str, sequence: Sequence
    ) -> None:
        self.events: list[Event] = []
        self._record = record.copy()
        self._task = task
        self._received_at = received_at
        self._sequence = sequence
        row = record.row
        # Set if the task is older than the feed's row, which then keeps its state.
        self._newer_row = row if row and self._is_older_than(row) else None
        self._add_messages(has_row=row is not None)
        for artifact in {a.artifact_id: a for a in task.artifacts}.values():
            self._add_artifact(artifact)
        self._add_state()

    def _is_older_than(self, row: TaskEvent) -> bool:
        status = self._task.status
        return (
            self._sequence is UNSET
            and not is_terminal(status.state)
            and is_before(status_time(status), row.at)
        )

    def _add(self, event: Event) -> None:
        self.events.append(event)
        self._record.add([event])

    def _add_messages(self, *, has_row: bool) -> None:
        messages, last = self._task.history, self._task.status.message
        status_message_id = ""
        if last and self._newer_row:
            messages = [*messages, last]
        elif last:
            # Some agents have the status's message in the history too.
            status_message_id = last.message_id
        for message in messages:
            message_id = message.message_id
            if message.role != "ROLE_AGENT" or message_id == status_message_id != "":
                continue
            # A message without an id, against A2A, cannot be compared with others.
            if message_id in self._record.message_ids or (has_row and not message_id):
                continue
            self._add_message(message)

    def _add_message(self, message: Message) -> None:
        # A message in the history has no state and no time of its own.
        row = self._build_row(Status("TASK_STATE_WORKING", message), {})
        if newer := self._newer_row:
            row = replace(row, status=newer.status, state=newer.state, at=newer.at)
        self._add(row)

    def _add_artifact(self, artifact: Artifact) -> None:
        recorded = self._record.artifacts.get(artifact.artifact_id)
        event = build_artifact_event(
            self._record,
            artifact,
            context_id=self._task.context_id,
            received_at=self._received_at,
        )
        parts = new_parts(recorded.parts, event.parts) if recorded else None
        if parts:
            self._add(replace(event, parts=parts, append=True))
        elif parts is None and not (recorded and self._newer_row):
            self._add(event)

    def _add_state(self) -> None:
        before = self._record.row
        row = self._build_row(self._task.status, self._task.metadata, self._sequence)
        if self._newer_row:
            # Late messages may stand between that row and this one.
            row = replace(
                self._newer_row,
                progress=row.progress,
                sequence=UNSET,
                received_at=self._received_at,
            )
        if self._sequence is not UNSET or before is None or has_news(before, row):
            self._add(row)

    def _build_row(
        self, status: Status, metadata: dict[str, object], sequence: Sequence = UNSET
    ) -> TaskEvent:
        return build_row(
            self._record,
            status,
            context_id=self._task.context_id,
            metadata=metadata,
            received_at=self._received_at,
            sequence=sequence,
        )
