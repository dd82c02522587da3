"""Finds updates that an agent sends twice: in a Task and in the stream after it.

Some agents open the stream before they read the Task. What they send in between is in
both. A chunk may also equal the one before it, so only the agent knows which it is.
"""

from __future__ import annotations

import msgspec

from ..clients.bindings.types import Update
from ..clients.connection import Connection
from ..model.event import ArtifactEvent, Event, TaskEvent
from ..model.timestamps import now
from ..protocol.a2a_objects import Message, Status, StreamResponse, join_text
from ..protocol.artifact_parts import end_with, start_with
from ..protocol.event_builders import agent_message, is_before, status_time
from ..protocol.task_record import TaskRecord
from ..protocol.translate import translate


class RepeatedUpdates:
    """Finds the repeated updates of the task of `record`."""

    def __init__(self, record: TaskRecord, connection: Connection) -> None:
        self._record = record
        self._connection = connection
        self.are_possible = False
        """Whether nothing came since the last Task that tells what is newer than it."""

    def note(self, response: StreamResponse, events: list[Event]) -> None:
        """Take note of an update, and of the events that it became."""
        if response.task:
            # A number shows what is a repeat.
            self.are_possible = self._record.sequence is None
        elif events and not _has_no_message(response):
            self.are_possible = False

    def adds_nothing(self, response: StreamResponse) -> bool:
        """Return whether an update at the start of a stream repeats the feed's row, or
        a message before it.

        Some agents send the state to each new subscriber, with the time of now.
        """
        record, row = self._record, self._record.row
        if message := response.message:
            text = join_text(message.parts)
            is_known = record.message_ids.get(message.message_id) == hash(text)
            return is_known or _is_row_again(message, row)
        update = response.status_update
        if update is None or row is None or update.metadata:
            return False
        message = agent_message(update.status)
        is_same = message is None or message.message_id == row.message_id is not None
        is_same = is_same or _is_row_again(message, row)
        return is_same and update.status.state == row.state

    async def is_repeat(self, update: Update) -> bool:
        """Return whether the Task before the update had it already.

        Raises what GetTask raises: then the stream ends, and the next begins with the
        Task.
        """
        if status := update.response.status_update:
            return self._is_older(status.status)
        chunk = update.response.artifact_update
        kept = chunk and self._record.artifacts.get(chunk.artifact.artifact_id)
        if not chunk or not kept or not chunk.append:
            return False
        parts = msgspec.to_builtins(chunk.artifact.parts)
        if not end_with(kept.parts, parts):
            return False
        task = await self._connection.get_task(self._record.task_id)
        # The agent may be further by now: its next parts must be the chunk itself.
        return not any(
            isinstance(event, ArtifactEvent)
            and event.artifact_id == chunk.artifact.artifact_id
            and (not event.append or start_with(event.parts, parts))
            for event in translate(self._record, task.response, now())
        )

    def _is_older(self, status: Status) -> bool:
        """Return whether the status is older than the Task, and has no new message."""
        message, row = agent_message(status), self._record.row
        is_known = message is None or message.message_id in self._record.message_ids
        return is_known and row is not None and is_before(status_time(status), row.at)


class RepeatedDrops:
    """Counts dropped updates once, although each new stream may begin with them.

    An update that is too large is dropped from every stream.
    """

    def __init__(self) -> None:
        self._stream: object = None
        self._event_count = 0
        self._in_stream = self._counted = 0

    def count_new(self, stream: object, count: int, event_count: int) -> int:
        """Return how many of the `count` dropped updates of `stream` are new.

        `event_count` is the number of the task's events: after a new one, all are new.
        """
        if event_count != self._event_count:
            self._event_count, self._counted = event_count, 0
            self._in_stream = 0
        if stream is not self._stream:
            self._stream, self._in_stream = stream, 0
        self._in_stream += count
        new = max(0, self._in_stream - self._counted)
        self._counted += new
        return new


def _is_row_again(message: Message | None, row: TaskEvent | None) -> bool:
    """Return whether a message without an id has the text of the feed's row."""
    if message is None or row is None or message.message_id or row.message_id:
        return False
    return join_text(message.parts) == row.message


def _has_no_message(response: StreamResponse) -> bool:
    """Return whether the update leaves no trace in a Task: its place is unknown."""
    update = response.status_update
    return update is not None and agent_message(update.status) is None
