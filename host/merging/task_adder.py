"""Adds to a task's events what an update or a Task has that the feed lacks.

A pending gap goes before it, unless a Task proves that nothing is missing.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from ..clients.bindings.types import Update
from ..model.event import Event, GapEvent
from ..protocol.a2a_objects import StreamResponse, Task
from ..protocol.gaps import (
    EQUAL_CHUNKS,
    STREAM_ENDED,
    build_gap,
    covers,
    covers_content,
)
from ..protocol.reconcile import reconcile_content
from ..protocol.task_record import TaskRecord
from ..protocol.translate import (
    note_last_message,
    note_superseded,
    note_time,
    translate,
)
from .chunks_ahead import find_left_out
from .dropped_updates import DroppedReport
from .follower_states import FollowerStates
from .open_streams import OpenStream, OpenStreams
from .repeated_updates import RepeatedUpdates
from .responses import has_number, history_before, is_end
from .task_end import TaskEnd
from .task_events import TaskEvents
from .update_news import has_news


class TaskAdder:
    """Belongs to one TaskMerger. `stream` is None for a Task from GetTask."""

    def __init__(
        self,
        record: TaskRecord,
        *,
        states: FollowerStates,
        events: TaskEvents,
        streams: OpenStreams,
        repeated: RepeatedUpdates,
        dropped: DroppedReport,
        end: TaskEnd,
    ) -> None:
        self._record = record
        self._states = states
        self._events = events
        self._streams = streams
        self._repeated = repeated
        self._dropped = dropped
        self._end = end

    def add_plain(self, update: Update, received_at: str, is_new: bool) -> bool:
        """Add a chunk or a state that is neither a repeat nor late, without a gap.

        Return whether it is news, or `is_new`: an earlier one of its batch was.
        """
        events = translate(self._record, update.response, received_at)
        is_new = is_new or has_news(self._record, update.response, events)
        self._dropped.add_gap()
        self._events.add(events, update.raw)
        return is_new

    def add_update(
        self, update: Update, received_at: str, stream: OpenStream | None
    ) -> bool:
        """Return whether the update is news: from now on, more may come soon."""
        pending_gap = self._states.pending_gap
        events = translate(self._record, update.response, received_at, pending_gap)
        if events or has_number(update.response):
            self._states.pending_gap = None
        is_new = has_news(self._record, update.response, events)
        self._add_events(events, update, stream)
        return is_new

    def add_task(
        self, update: Update, received_at: str, stream: OpenStream | None
    ) -> bool:
        """Add a Task. A stale one leaves the gap pending."""
        if self._end.is_held or self._events.ended.is_set():
            return self._add_late_task(update, received_at, stream)
        task, gap = update.response.task, self._states.pending_gap
        is_stale = task and gap and not covers(task, self._record)
        is_stale = is_stale and not has_number(update.response)
        if is_stale or (task and self._is_whole(task, received_at)):
            self._states.pending_gap = None
        is_new = self.add_update(update, received_at, stream)
        self._states.pending_gap = gap if is_stale else None
        return is_new

    def add_before(
        self, response: StreamResponse, task: Task, received_at: str, left_out: str
    ) -> bool:
        """Add what a Task has from before a live update.

        Return False if the Task is older than the feed: the pending gap stays. The
        stream has the state, and all messages from the update on. `left_out` is the
        text of the chunks of the stream that may be repeats.
        """
        reason = self._states.pending_gap
        is_proof = covers_content(task, self._record) and covers(task, self._record)
        if not (reason and is_proof):
            return False
        self._states.pending_gap = None
        # With the streams open, only a chunk can be missing: they bring all messages.
        has_gap = reason != EQUAL_CHUNKS
        history = history_before(response, task) if has_gap else []
        earlier = replace(task, history=history)
        events = reconcile_content(self._record, earlier, received_at)
        if not has_gap:
            events = [*find_left_out(events, response, left_out)]
        elif events and not self._record.is_empty:
            events.insert(0, build_gap(self._record, reason, received_at))
            note_superseded(self._record, task)
        raw = msgspec.json.encode(StreamResponse(task=earlier))
        self._events.add(events, raw)
        note_time(self._record, StreamResponse(task=task))
        note_last_message(self._record, task)
        self._streams.note_read(self._record, events, has_gap=has_gap, is_proof=True)
        self._repeated.note(StreamResponse(task=task), events, None)
        return True

    def add_content(
        self, update: Update, task: Task, received_at: str, *, stream: OpenStream | None
    ) -> None:
        """Add the messages and artifacts of a Task, after a gap if one is due."""
        events = reconcile_content(self._record, task, received_at)
        reason = self._states.pending_gap
        # A Task from before the end does not know what came until then.
        is_proof = is_end(update.response) and covers(task, self._record)
        if reason and is_proof:
            self._states.pending_gap = None
            if self._needs_gap(reason, events) and not self._record.is_empty:
                events.insert(0, build_gap(self._record, reason, received_at))
        self._add_events(events, update, stream)

    def _add_late_task(
        self, update: Update, received_at: str, stream: OpenStream | None
    ) -> bool:
        """Add what a Task has that came after the end, except its state."""
        task = update.response.task
        if task is None or self._record.has_ended:
            return False
        self._end.take_message(task)
        if has_number(update.response):
            self._end.hold_late(update)
        else:
            self.add_content(update, task, received_at, stream=stream)
        return False

    def _is_whole(self, task: Task, received_at: str) -> bool:
        """Return whether a Task proves that the end of a stream has hidden nothing.

        All that it has beside its state is in the feed. After a break, updates that
        leave no trace in a Task may be missing as well.
        """
        if self._states.pending_gap != STREAM_ENDED:
            return False
        return not reconcile_content(self._record, task, received_at)

    def _needs_gap(self, reason: str, content: list[Event]) -> bool:
        """Return whether a gap must stand before the content of a terminal Task."""
        if reason == EQUAL_CHUNKS:
            return False  # Nothing was missed: the streams were open.
        if content:
            return True
        # A state that is the only news was not streamed either.
        return not self._end.is_held and reason != STREAM_ENDED

    def _add_events(
        self, events: list[Event], update: Update, stream: OpenStream | None
    ) -> None:
        self._dropped.add_gap()
        self._events.add(events, update.raw)
        self._note_gap(update.response, events)
        if update.response.task:
            note_time(self._record, update.response)
            note_last_message(self._record, update.response.task)
            has_gap = any(isinstance(event, GapEvent) for event in events)
            if has_gap:
                note_superseded(self._record, update.response.task)
            self._streams.note_read(
                self._record,
                events,
                has_gap=has_gap,
                is_proof=covers_content(update.response.task, self._record),
                reader=stream,
            )
        self._repeated.note(update.response, events, stream)

    def _note_gap(self, response: StreamResponse, events: list[Event]) -> None:
        if response.task:
            self._end.is_doubtful &= not covers_content(response.task, self._record)
        elif not has_number(response):
            self._end.is_doubtful |= any(isinstance(e, GapEvent) for e in events)
