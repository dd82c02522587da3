"""Merges the updates of a task from all its streams, and its Task, into its events."""

from __future__ import annotations

from contextlib import suppress

import anyio
import msgspec
from a2a.utils.errors import A2AError
from anyio.abc import TaskGroup
from msgspec.structs import replace

from ..clients.bindings.types import Batch, Update
from ..clients.connection import Connection
from ..errors import AgentUnreachable
from ..feed.feed import Feed
from ..model.event import ArtifactEvent, Event, GapEvent, TaskEvent
from ..model.timestamps import now
from ..protocol.a2a_objects import (
    ArtifactUpdate,
    StreamResponse,
)
from ..protocol.gaps import (
    DroppedUpdates,
    build_gap,
    covers,
    covers_content,
)
from ..protocol.reconcile import reconcile_content
from ..protocol.task_record import TaskRecord
from ..protocol.translate import note_time, translate
from .agent_row import AgentRow
from .follower_states import FollowerStates
from .open_streams import OpenStream, OpenStreams
from .repeated_updates import ChunksAhead, RepeatedDrops, RepeatedUpdates
from .responses import has_number, history_before, is_end, with_status
from .task_events import TaskEvents

DROPPED_REPORT_S = 1.0  # One gap for all updates dropped meanwhile.
END_GRACE_S = 0.5  # Some agents send artifacts after the end.
MAX_READS = 3


class TaskMerger:
    """Writes what each update adds. Use it while the task group `group` is open.

    Updates come from streams by `take`, and Tasks from GetTask by `take_task`. After a
    terminal update the task is still open for END_GRACE_S, or until its streams end.
    """

    group: TaskGroup

    def __init__(
        self,
        record: TaskRecord,
        feed: Feed,
        *,
        connection: Connection,
        agent_row: AgentRow,
        states: FollowerStates,
    ) -> None:
        self.streams = OpenStreams()
        self.events = TaskEvents(record, feed, states)
        self.last_batch_at = anyio.current_time()
        self.is_stored = False  # Whether the agent has the task in a store.
        self.has_live_updates = False
        self._record = record
        self._connection = connection
        self._agent_row = agent_row
        self._states = states
        self._dropped = DroppedUpdates(record)
        self._ahead = ChunksAhead()
        self._repeated = RepeatedUpdates(record, connection)
        self._is_reporting = False
        self._drops = RepeatedDrops()
        self._last_update: Update | None = None
        self._has_messages = False
        self._is_cut_short = False
        self._is_doubtful = False  # The Task may have more chunks than the feed.
        self._update_count = 0
        self._streams_closed = anyio.Event()

    @property
    def is_ending(self) -> bool:
        """Whether the agent has ended the task. It is still open for late updates."""
        return self._last_update is not None

    def close_stream(self, stream: OpenStream) -> None:
        self.streams.close(stream)
        if not self.streams.count:
            self._streams_closed.set()

    async def take(self, batch: Batch, stream: OpenStream) -> None:
        """Write what a batch of a stream adds to the feed."""
        is_new, received_at = False, now()
        if batch.updates:
            self.last_batch_at = anyio.current_time()
            self.has_live_updates = True
        for update in batch.updates:
            if self._is_plain(stream, update.response):
                is_new |= self._add(update, received_at)
            elif not self.streams.is_repeat(stream, update.response):
                is_new |= await self._take_live(update, received_at)
            elif update.response.artifact_update:
                self._is_doubtful = True  # It may be a new chunk with the same text.
        self._update_count += len(batch.updates)
        if batch.left_out:
            await self._take_dropped(batch, stream)
        if is_new:
            self._states.reset_backoff()
        await self._write()

    async def take_task(self, update: Update) -> bool:
        """Write what a Task from GetTask adds. Return whether it has news."""
        self.is_stored = True
        update = self._with_last_status(update)
        is_new = self._add_task(update, now(), is_read=True)
        await self._write()
        return is_new

    async def read_task(self) -> Update:
        """Read the Task from the agent, and again if it may be older than an update.

        Raises what GetTask raises.
        """
        for _ in range(MAX_READS):
            count = self._update_count
            update = await self._connection.get_task(self._record.task_id)
            if count == self._update_count:
                break
        return update

    # Live updates.

    def _is_plain(self, stream: OpenStream, response: StreamResponse) -> bool:
        """Return whether the update needs no check for repeats, gaps, or the end.

        This is true for nearly all updates, so the check must be fast.
        """
        return not (
            self._states.pending_gap
            or self._repeated.are_possible
            or self._last_update
            or self.streams.count > 1
            or stream.expected
            or response.task
            or response.message
            or is_end(response)
        )

    async def _take_live(self, update: Update, received_at: str) -> bool:
        response = update.response
        if response.task_id not in (None, self._record.task_id):
            return False  # Another follower has that task.
        if self.is_ending:
            return self._take_late(update, received_at)
        if has_number(response):
            return self._add(update, received_at)
        may_repeat = self._states.pending_gap or self._repeated.are_possible
        if may_repeat and self._repeated.adds_nothing(response):
            return False
        if self._states.pending_gap and not response.task:
            await self._close_gap(response, received_at)
        if self._ahead.is_repeat(response):
            self._is_doubtful = True  # It may be a new chunk with the same text.
            return False
        if self._repeated.are_possible and await self._repeated.is_repeat(update):
            return False
        if is_end(response):
            self._last_update = update
            self.group.start_soon(self._end)
            return True
        if response.task:
            return self._add_task(update, received_at, is_read=False)
        self._has_messages |= response.message is not None
        return self._add(update, received_at)

    async def _close_gap(self, response: StreamResponse, received_at: str) -> None:
        """Read what the feed may lack, before a live update follows it.

        The pending gap stays if the agent has less than the feed. The stream has the
        state, and all messages from this update on.
        """
        try:
            task = (await self.read_task()).response.task
        except (AgentUnreachable, A2AError):
            return
        reason = self._states.pending_gap
        if not (task and reason and covers_content(task, self._record)):
            return
        earlier = replace(task, history=history_before(response, task))
        events = reconcile_content(self._record, earlier, received_at)
        if events and not self._record.is_empty:
            events.insert(0, build_gap(self._record, reason, received_at))
        self._states.pending_gap = None
        raw = msgspec.json.encode(StreamResponse(task=earlier))
        self.events.add(events, raw)
        self._ahead.note(events)
        self._repeated.note(StreamResponse(task=task), events)

    def _add_task(self, update: Update, received_at: str, *, is_read: bool) -> bool:
        """Add a Task. A stale one leaves the gap pending. `is_read`: by GetTask."""
        task, gap = update.response.task, self._states.pending_gap
        is_stale = task and gap and not covers(task, self._record)
        is_stale = is_stale and not has_number(update.response)
        if is_stale:
            self._states.pending_gap = None
        is_new = self._add(update, received_at, is_read=is_read)
        self._states.pending_gap = gap if is_stale else None
        return is_new

    def _add(self, update: Update, received_at: str, *, is_read: bool = False) -> bool:
        """Return whether the update is news: from now on, more may come soon."""
        pending_gap = self._states.pending_gap
        events = translate(self._record, update.response, received_at, pending_gap)
        if events or has_number(update.response):
            self._states.pending_gap = None
        is_new = self._has_news(update.response, events)
        if self._dropped.count:
            self.events.writer.add(self._dropped.take_gap(now()))
        self.events.add(events, update.raw)
        self._note_gap(update.response, events)
        if update.response.task:
            note_time(self._record, update.response)
        if is_read and self.streams.count:
            self._ahead.note(events)
        self._repeated.note(update.response, events)
        return is_new

    def _note_gap(self, response: StreamResponse, events: list[Event]) -> None:
        if response.task:
            self._is_doubtful &= not covers_content(response.task, self._record)
        elif not has_number(response):
            self._is_doubtful |= any(isinstance(e, GapEvent) for e in events)

    def _has_news(self, response: StreamResponse, events: list[Event]) -> bool:
        status, row = response.status_update, self._record.row
        if response.artifact_update or (
            status and row and status.status.state != row.state
        ):
            return bool(events)
        return any(map(self._is_news, events))

    def _is_news(self, event: Event) -> bool:
        """Return whether an event is more than another view of what the feed has.

        Some agents answer from replicas that contradict each other, and some give the
        same message a new id each time.
        """
        record, row = self._record, self._record.row
        if isinstance(event, ArtifactEvent):
            return event.append or event.artifact_id not in record.artifacts
        if not isinstance(event, TaskEvent) or row is None:
            return row is None
        is_known = event.message_id is None or event.message_id in record.message_ids
        is_known |= (event.state, event.message) == (row.state, row.message)
        return not is_known or event.progress != row.progress or not event.is_open

    async def _write(self) -> None:
        self.events.writer.start(self.group)
        await self.events.writer.wait_for_room()

    # Updates that were dropped.

    async def _take_dropped(self, batch: Batch, stream: OpenStream) -> None:
        cause = batch.why or ""
        await self._agent_row.report_trouble(cause)
        count = self._drops.count_new(stream, batch.left_out, self.events.count)
        if not count:
            return
        self.last_batch_at = anyio.current_time()
        self._dropped.add(count, cause)
        self._agent_row.left_out += count
        if not self._is_reporting:
            self._is_reporting = True
            self.group.start_soon(self._report_dropped)

    async def _report_dropped(self) -> None:
        """Write a gap for dropped updates also when no update follows them.

        Then read the task, for what they led to: but only when the stream is silent,
        or GetTask would be ahead of it. It must be silent twice, because a suspended
        host runs this before it reads.
        """
        silent = 0
        while self._dropped.count or silent < 2:
            last_batch_at = self.last_batch_at
            await anyio.sleep(DROPPED_REPORT_S)
            self.events.writer.add(self._dropped.take_gap(now()))
            await self._write()
            silent = silent + 1 if self.last_batch_at == last_batch_at else 0
        self._is_reporting = False
        try:
            await self.take_task(await self.read_task())
        except (AgentUnreachable, A2AError):
            return

    # The end.

    def note_cut(self) -> None:
        """Take note that a stream broke. After the end, the Task may have more."""
        self._is_cut_short = self.is_ending

    def _take_late(self, update: Update, received_at: str) -> bool:
        """Add what comes after the end, except a state: the first one is final."""
        if not update.response.status_update:
            self._add(self._with_last_status(update), received_at)
        return False

    async def _end(self) -> None:
        """End the task when all its streams have ended, or after the grace period."""
        with anyio.move_on_after(END_GRACE_S):
            if self.streams.count:
                self._streams_closed = anyio.Event()
                await self._streams_closed.wait()
        if self._is_result_missing:
            # The agent may keep no tasks.
            with suppress(AgentUnreachable, A2AError):
                await self.take_task(await self.read_task())
        if self._last_update:
            self._add(self._last_update, now())
            await self._write()

    @property
    def _is_result_missing(self) -> bool:
        """Whether the Task may have more than the updates had."""
        last = self._last_update and self._last_update.response.status_update
        if not last or self._record.has_ended:
            return False
        if self._states.pending_gap or self._is_cut_short or self._is_doubtful:
            return True
        has_words = last.status.message or self._record.last_message
        has_result = self._record.artifacts or (has_words and not self._has_messages)
        return last.status.state == "TASK_STATE_COMPLETED" and not has_result

    def _with_last_status(self, update: Update) -> Update:
        """Return a Task with the status that has ended the task, if one has."""
        last = self._last_update.response.update if self._last_update else None
        if last is None or isinstance(last, ArtifactUpdate):
            return update
        return with_status(update, last.status, self._record)
