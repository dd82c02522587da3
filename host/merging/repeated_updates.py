"""Finds states and messages that an agent sends twice: at the start of a stream, or in
a Task and in the stream after it.

Some agents open the stream before they read the Task. What they send in between is in
both. `chunks_ahead` finds the chunks.
"""

from __future__ import annotations

from ..model.event import Event
from ..protocol.a2a_objects import Message, StreamResponse, join_text
from ..protocol.event_builders import agent_message, is_before, status_time
from ..protocol.task_record import TaskRecord
from .open_streams import OpenStream


class RepeatedUpdates:
    """Finds the repeated updates of the task of `record`."""

    def __init__(self, record: TaskRecord) -> None:
        self._record = record
        self.are_possible = False
        """Whether nothing came since the last Task that tells what is newer than it."""

    def note(
        self, response: StreamResponse, events: list[Event], stream: OpenStream | None
    ) -> None:
        """Take note of an update of `stream`, and of the events that it became."""
        if response.task:
            # A number shows what is a repeat.
            self.are_possible = self._record.sequence is None
            if stream and self.are_possible:
                stream.read_ahead.begin(self._record)
        elif events and not _has_no_message(response):
            self.are_possible = False
            if stream:
                stream.read_ahead.pass_start()

    def adds_nothing(self, response: StreamResponse) -> bool:
        """Return whether an update at the start of a stream repeats the feed's row, or
        a message before it.

        Some agents send the state to each new subscriber, with the time of now.
        """
        record, row = self._record, self._record.row
        if message := response.message:
            text = join_text(message.parts)
            is_known = record.message_ids.get(message.message_id) == hash(text)
            return is_known or self._is_row_again(message)
        update = response.status_update
        if update is None or row is None or update.metadata:
            return False
        message = agent_message(update.status)
        is_same = (
            message is None or self._is_part(message) or self._is_row_again(message)
        )
        return is_same and update.status.state == row.state

    def is_older(self, response: StreamResponse) -> bool:
        """Return whether a status is older than the Task, and has no new message."""
        update = response.status_update
        if update is None:
            return False
        message, row = agent_message(update.status), self._record.row
        is_known = message is None or message.message_id in self._record.message_ids
        is_older = row is not None and is_before(status_time(update.status), row.at)
        return is_known and is_older

    def _is_part(self, message: Message) -> bool:
        """Return whether a message with the id of the row's has no more than the row.

        Some agents send a message again and again while it grows.
        """
        row, known = self._record.row, self._record.message
        if (
            row is None
            or row.message_id is None
            or message.message_id != row.message_id
        ):
            return False
        text = join_text(message.parts)
        return known.contains(text) if known else not text

    def _is_row_again(self, message: Message) -> bool:
        """Return whether a message without an id has the text of the feed's row."""
        row, known = self._record.row, self._record.message
        if row is None or message.message_id or row.message_id:
            return False
        return known is not None and known.equals(join_text(message.parts))


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


def _has_no_message(response: StreamResponse) -> bool:
    """Return whether the update leaves no trace in a Task: its place is unknown."""
    update = response.status_update
    return update is not None and agent_message(update.status) is None
