"""Compares a Task, as its agent has it, with the feed, and builds the missing events.

docs/reconciliation.md has the rules with examples.
"""

from __future__ import annotations

from collections import Counter

from msgspec import UNSET
from msgspec.structs import replace

from ..model.event import WAITING, ArtifactEvent, Event, TaskEvent
from .a2a_objects import Artifact, Message, State, Status, Task, join_text
from .artifact_parts import hash_parts
from .artifact_record import ArtifactRecord
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
    """Return events for the data of `task` that the feed lacks: messages, artifacts,
    then the state.

    Messages are compared by id, artifacts by content. A later time alone adds nothing.
    If the task is older than the feed's row, by its timestamp or its message, its state
    is ignored unless it is terminal, and its artifacts only add parts.
    """
    reconciliation = _Reconciliation(record, task, received_at, sequence)
    reconciliation.add_content()
    reconciliation.add_state()
    return reconciliation.events


def reconcile_content(record: TaskRecord, task: Task, received_at: str) -> list[Event]:
    """Return events for the messages and artifacts of `task` that the feed lacks.

    Use it if an open stream is still to bring the state.
    """
    reconciliation = _Reconciliation(record, task, received_at, UNSET)
    reconciliation.add_content()
    return reconciliation.events


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
        self._known_row = row if row and self._is_state_of(row) else None

    def add_content(self) -> None:
        self._add_messages(has_row=self._record.row is not None)
        for artifact in {a.artifact_id: a for a in self._task.artifacts}.values():
            self._add_artifact(artifact)

    def _is_older_than(self, row: TaskEvent) -> bool:
        status = self._task.status
        if self._sequence is not UNSET or is_terminal(status.state):
            return False
        if is_before(status_time(status), row.at):
            return True
        message_id = status.message.message_id if status.message else ""
        is_earlier_message = (
            message_id != row.message_id and message_id in self._record.message_ids
        )
        return is_earlier_message and status.state == row.state

    def _is_state_of(self, row: TaskEvent) -> bool:
        """Return whether the row has the state of the task, and its message."""
        state = self._build_state()
        is_same = (state.state, state.message_id) == (row.state, row.message_id)
        return is_same and self._record.has_message(state)

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
        lost_texts = self._count_lost_texts()
        for message in messages:
            message_id, text = message.message_id, hash(join_text(message.parts))
            if message_id not in self._record.message_ids and lost_texts[text]:
                lost_texts[text] -= 1
                continue
            if message.role != "ROLE_AGENT" or message_id == status_message_id != "":
                continue
            # A message without an id, against A2A, cannot be compared with others.
            is_known = message_id in self._record.message_ids
            if is_known and self._is_longer(message):
                pass  # The feed has only a part, which came as a Message.
            elif is_known or (has_row and not message_id):
                continue
            self._add_message(message)

    def _is_longer(self, message: Message) -> bool:
        """Return whether the feed's last message is only a part of `message`."""
        part, text = self._record.last_message, join_text(message.parts)
        last_id = next(reversed(self._record.message_ids), "")
        is_part = part.is_part_of(text) if part else text != ""
        return message.message_id == last_id and is_part

    def _count_lost_texts(self) -> Counter[int]:
        """Count the texts of the feed's messages that the Task has with other ids.

        Some agents give a message another id when they store it: the last one, which
        they send before, or all.
        """
        recorded, ids = self._record.message_ids, self._task.message_ids
        if ids.isdisjoint(recorded):
            return Counter(recorded.values())
        last_id = next(reversed(recorded))
        return Counter() if last_id in ids else Counter([recorded[last_id]])

    def _add_message(self, message: Message) -> None:
        # A message in the history has no state and no time of its own.
        is_submitted = self._task.status.state == "TASK_STATE_SUBMITTED"
        state: State = "TASK_STATE_SUBMITTED" if is_submitted else "TASK_STATE_WORKING"
        row = self._build_row(Status(state, message), {})
        if newer := self._newer_row:
            row = replace(row, status=newer.status, state=newer.state, at=newer.at)
        elif before := self._record.row:
            # Without a time, an older Task could not be told from a newer one.
            row = replace(row, at=before.at)
        self._add(row)

    def _add_artifact(self, artifact: Artifact) -> None:
        recorded = self._record.artifacts.get(artifact.artifact_id)
        if recorded is None and self._record.has_all_artifacts_that_fit:
            return
        event = build_artifact_event(
            self._record,
            artifact,
            context_id=self._task.context_id,
            received_at=self._received_at,
        )
        parts = recorded.new_parts(event.parts) if recorded else None
        if parts:
            self._add(replace(event, parts=parts, append=True))
        elif parts is None and not (recorded and self._is_earlier(recorded, event)):
            self._add(event)

    def _is_earlier(self, recorded: ArtifactRecord, event: ArtifactEvent) -> bool:
        """Return whether the artifact was so before. Some agents answer from replicas
        that differ. The last Task counts, and the last number."""
        if self._newer_row:
            return True
        is_last = is_terminal(self._task.status.state) or self._sequence is not UNSET
        return not is_last and hash_parts(event.parts) in recorded.earlier

    def add_state(self) -> None:
        before, row = self._record.row, self._build_state()
        if before and self._has_other_id(before, row):
            row = replace(row, message_id=before.message_id)
        newest = self._newer_row
        if before is not self._known_row and self._sequence is UNSET:
            newest = newest or self._known_row
        if newest and before:
            # After late messages, a question must be the last row again. No other row
            # is written twice. A stream may still bring the status with this time.
            row = replace(
                newest if newest.status in WAITING else before,
                at=before.at if self._newer_row else row.at,
                progress=row.progress,
                sequence=UNSET,
                received_at=self._received_at,
            )
        if self._sequence is not UNSET or has_news(self._record, row):
            self._add(row)

    def _has_other_id(self, before: TaskEvent, row: TaskEvent) -> bool:
        """Return whether `row` has the message of the row before with another id.

        A question may be asked again with the same words.
        """
        is_question = row.status in WAITING and row.at != before.at
        is_same = row.state == before.state and self._record.has_message(row)
        has_ids = row.message_id is not None and before.message_id is not None
        is_lost = before.message_id not in self._task.message_ids
        return is_same and has_ids and is_lost and not is_question

    def _build_state(self) -> TaskEvent:
        return self._build_row(self._task.status, self._task.metadata, self._sequence)

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
