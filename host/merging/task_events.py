"""Adds the events of one task: to the record of what the feed has, and to the feed."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
from msgspec import UNSET
from msgspec.structs import replace

from ..feed.feed import Feed
from ..model.event import Event, TaskEvent
from ..model.timestamps import now
from ..protocol.a2a_objects import Status, StatusUpdate, StreamResponse
from ..protocol.event_builders import build_lost_row
from ..protocol.gaps import build_gap, gap_of_lost_task
from ..protocol.task_record import TaskRecord
from ..protocol.translate import translate
from .follower_states import FollowerStates
from .reused_ids import REUSED
from .task_news import TaskNews
from .task_writer import TaskWriter


class TaskEvents:
    """The events of one task. `ended` is set after the terminal row, or when the agent
    no longer knows the task. `count` is the number of the agent's events so far."""

    def __init__(self, record: TaskRecord, feed: Feed, states: FollowerStates) -> None:
        self.writer = TaskWriter(record.agent, record.task_id, feed)
        self.news = TaskNews(record)
        self.ended = anyio.Event()
        self.count = 0
        self._record = record
        self._states = states

    async def load(self) -> bool:
        """Load what the feed has of the task. Return whether that is anything."""
        has_history = await self.writer.load(self._record)
        if has_history:
            self.news.load()
            self.add_links()
        return has_history

    def add(self, events: Sequence[Event], raw: bytes | None = None) -> None:
        """Add events of the agent. `raw` is the A2A update that they came from."""
        self._add(self.news.take(events), raw)
        self.count += len(events)

    def add_stalled(self) -> None:
        """Mark the task as stalled."""
        self._add(self.news.build_stalled())

    def add_links(self) -> None:
        """Name the tasks behind a task that was found before they were known."""
        record, row = self._record, self._record.row
        if row is None:
            return
        parent, continues = record.parent_task_id, record.continues
        linked = replace(row, parent_task_id=parent, continues=continues)
        if linked != row:
            self._add_again(linked)

    def continue_by(self, task_id: str) -> None:
        """Say that the task no longer waits, because another task has the reply."""
        row = self._record.row
        if row and row.needs_input:
            self._add_again(replace(row, continued_by=task_id))

    def lose(self, reason: str) -> None:
        """End a task that its agent no longer knows. An unseen one leaves no trace."""
        if row := self._record.row:
            received_at = now()
            gap = gap_of_lost_task(self._record, reason, received_at)
            self._add([gap, build_lost_row(row, reason, received_at)])
        self._end()

    def begin_other(self) -> None:
        """Say that another task has the id from now on."""
        self._add([replace(build_gap(self._record, REUSED, now()), new_task=True)])

    def end_unread(self, status: Status, reason: str) -> None:
        """End a task whose end nobody can read: `status` is all that is known."""
        last = StatusUpdate(task_id=self._record.task_id, status=status)
        response = StreamResponse(status_update=last)
        self.add(translate(self._record, response, now(), reason))

    def _add_again(self, row: TaskEvent) -> None:
        # Without `sequence`: the row may be older than the last numbered update.
        self._add([replace(row, sequence=UNSET, received_at=now())])

    def _add(self, events: Sequence[Event], raw: bytes | None = None) -> None:
        self._record.add(events)
        self.writer.add(events, raw)
        if self._record.has_ended:
            self._end()

    def _end(self) -> None:
        self._states.end()
        self.ended.set()
