"""Merges the updates of a task from all its streams, and its Task, into its events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import anyio
from a2a.utils.errors import A2AError
from anyio.abc import TaskGroup

from ..clients.bindings.types import Batch, TaskTooLarge, Update
from ..clients.connection import Connection
from ..errors import AgentUnreachable
from ..feed.feed import Feed
from ..model.timestamps import now
from ..protocol.a2a_objects import StreamResponse
from ..protocol.gaps import EQUAL_CHUNKS, build_gap
from ..protocol.task_record import TaskRecord
from .agent_row import AgentRow
from .chunks_ahead import Repeat
from .dropped_updates import DroppedReport
from .follower_states import FollowerStates, Live, Source
from .open_streams import OpenStream, OpenStreams
from .repeated_updates import RepeatedUpdates
from .responses import has_number, is_end, is_interim
from .reused_ids import LOST, is_other_task
from .task_adder import TaskAdder
from .task_end import TaskEnd
from .task_events import TaskEvents
from .task_source import TaskSource


class TaskMerger:
    """Writes what each update adds. Use it while the task group `group` is open.

    Updates come from streams by `take`, and Tasks from GetTask by `take_task`. After a
    terminal update the task is still open for late updates: see `task_end`.
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
        self.source = TaskSource(connection, record.task_id)
        self._has_large_gap = False
        self._states = states
        self._dropped = DroppedReport(record, events=self.events, agent_row=agent_row)
        self._repeated = RepeatedUpdates(record)
        self._end = TaskEnd(record, states=states, events=self.events)
        self._adder = TaskAdder(
            record,
            states=states,
            events=self.events,
            streams=self.streams,
            repeated=self._repeated,
            dropped=self._dropped,
            end=self._end,
        )
        self._may_lack_chunk = False  # Read the Task before the next update.
        self._taking = anyio.Lock()

    @property
    def is_ending(self) -> bool:
        """Whether the agent has ended the task. It is still open for late updates."""
        return self._end.is_held or self.events.ended.is_set()

    def close_stream(self, stream: OpenStream) -> None:
        self.streams.close(stream)
        if not self.streams.count:
            self._end.note_closed()

    async def take(self, batch: Batch, stream: OpenStream) -> None:
        """Write what a batch of a stream adds to the feed."""
        is_new, received_at = False, now()
        if batch.updates:
            self.last_batch_at = anyio.current_time()
            self.has_live_updates = True
            stream.begin_batch()
        is_plain = self._is_plain(stream)
        for update in batch.updates:
            if is_plain and is_interim(update.response):
                is_new = self._adder.add_plain(update, received_at, is_new)
            else:
                is_new |= await self._take_checked(update, received_at, stream)
                is_plain = self._is_plain(stream)
        self.source.update_count += len(batch.updates)
        if batch.left_out and await self._dropped.take(batch, stream):
            self._report_dropped()
        if is_new:
            self._states.reset_backoff()
        await self._write()
        await self._end.wait_for_room()

    async def take_task(self, update: Update) -> bool:
        """Write what a Task from GetTask adds. Return whether it has news."""
        self.is_stored = True
        async with self._turn():
            if is_other_task(self._record, update.response.task):
                self.events.lose(LOST)
                is_new = False
            elif is_end(update.response) and not self.is_ending:
                self._begin_end(update, now(), None)
                is_new = True
            else:
                is_new = self._adder.add_task(update, now(), None)
        await self._write()
        return is_new

    async def read_task(self) -> Update:
        """Read the Task from the agent. Raises what GetTask raises."""
        try:
            return await self.source.read()
        except TaskTooLarge as error:
            self._take_too_large(error)
            raise

    def _take_too_large(self, error: TaskTooLarge) -> None:
        """Take the state of a Task that is too large, after a gap.

        Without its state, only the gap is written, once. A stream has newer states.
        """
        if self.is_ending or (error.known is None and self._has_large_gap):
            return
        reason = f"the task could not be read: {error}"
        if error.known and is_end(error.known.response):
            self._states.pending_gap = reason
            self._begin_end(error.known, now(), None)
        elif error.known and not self._states.is_streaming:
            self._states.pending_gap = reason
            self._adder.add_update(error.known, now(), None)
        elif error.known is None and not self._record.is_empty:
            self._has_large_gap = True
            self.events.add([build_gap(self._record, reason, now())])
        self.events.writer.start(self.group)

    # Live updates.

    def _is_plain(self, stream: OpenStream) -> bool:
        """Return whether the stream needs no check for repeats, gaps, or the end.

        This is so for nearly all updates, which makes them fast.
        """
        return not (
            self._states.pending_gap
            or self._repeated.are_possible
            or self._end.is_held
            or self.streams.count > 1
            or self._may_lack_chunk
            or not stream.expects_nothing
        )

    async def _take_checked(
        self, update: Update, received_at: str, stream: OpenStream
    ) -> bool:
        response = update.response
        async with self._turn():
            repeat = self.streams.take(stream, response)
            if repeat is Repeat.NO and self._must_read_task(response):
                is_in_task = await self._close_gap(response, received_at, stream)
                repeat = stream.read_ahead.take(response, is_in_task=is_in_task)
            if repeat is not Repeat.NO:
                # It may be a new chunk with the same text.
                self._end.is_doubtful |= response.artifact_update is not None
                self._may_lack_chunk |= repeat is Repeat.PERHAPS
                if stream.read_ahead.is_unsure:
                    await self._find_chunk(response, received_at, stream)
                return False
            is_new = await self._take_live(update, received_at, stream)
            # Only now: if it could not be taken, another stream still brings it.
            self.streams.note_first(stream, response)
            return is_new

    @asynccontextmanager
    async def _turn(self) -> AsyncGenerator[None]:
        """Wait until no other update waits for GetTask: it would be overtaken."""
        try:
            self._taking.acquire_nowait()  # A cancelled stream has its turn too.
        except anyio.WouldBlock:
            await self._taking.acquire()
        try:
            yield
        finally:
            self._taking.release()

    async def _take_live(
        self, update: Update, received_at: str, stream: OpenStream
    ) -> bool:
        response = update.response
        if response.task_id not in (None, self._record.task_id):
            return False  # Another follower has that task.
        if response.task and is_other_task(self._record, response.task):
            self.events.lose(LOST)
            return False
        if not has_number(response) and self._is_known(response):
            return False
        if response.status_update and self.is_ending:
            self._end.note_live()
            return False  # The first terminal state is final.
        if is_end(response) and not self.is_ending:
            self._begin_end(update, received_at, stream)
            return True
        if response.task:
            return self._adder.add_task(update, received_at, stream)
        if has_number(response) and self._end.is_held:
            self._end.hold_late(update)
            return False
        self._end.has_messages |= response.message is not None
        return (
            self._adder.add_update(update, received_at, stream) and not self.is_ending
        )

    def _must_read_task(self, response: StreamResponse) -> bool:
        """Return whether the feed may lack something before this update."""
        return (
            (self._states.pending_gap is not None or self._may_lack_chunk)
            and not (response.task or has_number(response))
            and response.task_id in (None, self._record.task_id)
            and not self._repeated.adds_nothing(response)
        )

    def _is_known(self, response: StreamResponse) -> bool:
        """Return whether the feed has an update without a number."""
        may_repeat = self._states.pending_gap or self._repeated.are_possible
        if may_repeat and self._repeated.adds_nothing(response):
            return True
        return self._repeated.are_possible and self._repeated.is_older(response)

    async def _close_gap(
        self, response: StreamResponse, received_at: str, stream: OpenStream
    ) -> bool:
        """Read what the feed may lack, before a live update follows it.

        Return whether the Task has all that is in the feed. Otherwise the gap stays
        pending.
        """
        try:
            return await self._find_chunk(response, received_at, stream)
        except (AgentUnreachable, A2AError):
            return False

    async def _find_chunk(
        self, response: StreamResponse, received_at: str, stream: OpenStream
    ) -> bool:
        """Read whether the feed lacks a chunk. Raises what GetTask raises: then the
        stream ends, and the next begins with the Task."""
        if self._may_lack_chunk:
            self._may_lack_chunk = False
            self._states.pending_gap = self._states.pending_gap or EQUAL_CHUNKS
        task = (await self.read_task()).response.task
        left_out = stream.read_ahead.left_out(response)
        return task is not None and self._adder.add_before(
            response, task, received_at, left_out
        )

    def _report_dropped(self) -> None:
        self.last_batch_at = anyio.current_time()
        if not self._dropped.is_running:
            report = partial(
                self._dropped.run,
                last_batch_at=lambda: self.last_batch_at,
                write=self._write,
                read_task=self._read_again,
            )
            self._dropped.is_running = True
            self.group.start_soon(report)

    async def _read_again(self) -> None:
        await self.take_task(await self.read_task())

    async def _write(self) -> None:
        self.events.writer.start(self.group)
        await self.events.writer.wait_for_room()

    # The end.

    def note_cut(self) -> None:
        """Take note that a stream broke. After the end, the Task may have more."""
        self._end.is_cut_short |= self.is_ending

    def _begin_end(
        self, update: Update, received_at: str, stream: OpenStream | None
    ) -> None:
        """Hold the terminal state, and add what a Task has beside it."""
        response = update.response
        if response.task and not has_number(response):
            self._adder.add_content(update, response.task, received_at, stream=stream)
        # A Task may be the answer to a subscription that came after the end.
        is_subscribed = self._states.state == Live(Source.SUBSCRIPTION)
        is_live = stream is not None and not (response.task and is_subscribed)
        self._end.hold(update, is_live=is_live)
        self.group.start_soon(self._run_end)

    async def _run_end(self) -> None:
        has_streams = self.streams.count > 0
        await self._end.wait(self._read_again, has_streams=has_streams)
        self._dropped.add_gap()
        self._end.finish()
        await self._write()
