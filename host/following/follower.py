"""Follows one open task of one agent: puts its updates into the feed, until it ends.

The collector runs one follower for each task that it finds or starts. When a stream
breaks, the follower resumes it where the agent can do that. Elsewhere it reads the
Task, and writes a gap unless the Task proves that nothing is missing.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator

import anyio
from a2a.utils.errors import A2AError, TaskNotFoundError

from ..clients.bindings.types import Batch
from ..clients.bindings.unreachable_errors import AGENT_ERROR
from ..clients.connection import Connection
from ..errors import AgentUnreachable
from ..feed.feed import Feed
from ..merging.agent_row import AgentRow
from ..merging.follower_states import FollowerStates, Live, Source
from ..merging.open_streams import OpenStream
from ..merging.reused_ids import read_first
from ..merging.task_merger import TaskMerger
from ..merging.task_news import TaskNews
from ..model.debug_state import TaskState
from ..observability.logfmt import Line
from ..protocol.a2a_objects import ListedTask
from ..protocol.artifact_record import RecordMemory
from ..protocol.gaps import FOUND_LATE, STREAM_BROKE, STREAM_ENDED
from ..protocol.task_record import TaskRecord
from .listed_end import ListedEnd
from .stall_check import StallCheck
from .task_reader import TaskReader
from .task_repair import TaskRepair

logger = logging.getLogger("courtside.follower")


class Follower:
    """Follows the task while `run` runs: to its end, or until its agent forgets it.

    `away_reason` is the reason for a gap after the events that the feed already has.
    """

    def __init__(
        self,
        task_id: str,
        connection: Connection,
        feed: Feed,
        agent_row: AgentRow,
        away_reason: str,
        stalled_after_s: float = 0.0,
        memory: RecordMemory | None = None,
    ) -> None:
        self._connection = connection
        self._agent_row = agent_row
        self._away_reason = away_reason
        self._record = TaskRecord(agent_row.name, task_id, memory=memory)
        self._states = FollowerStates()
        self._merger = TaskMerger(
            self._record,
            feed,
            connection=connection,
            agent_row=agent_row,
            states=self._states,
        )
        self._events = self._merger.events
        self._reader = TaskReader(
            self._record,
            connection=connection,
            agent_row=agent_row,
            states=self._states,
            merger=self._merger,
        )
        self._stall_check = StallCheck(
            self._record,
            connection=connection,
            states=self._states,
            merger=self._merger,
            after_s=stalled_after_s,
        )
        self._repair = TaskRepair(
            self._record,
            connection=connection,
            agent_row=agent_row,
            states=self._states,
            merger=self._merger,
        )
        self._listed_end = ListedEnd(connection, self._merger, self._states)
        self._started = anyio.Event()
        self._reading = anyio.Lock(fast_acquire=True)
        self._own_reading = anyio.CancelScope()
        self._replies_ended = anyio.Event()
        self._reply_gap = STREAM_ENDED

    def set_links(
        self, parent_task_id: str | None = None, continues: str | None = None
    ) -> None:
        """Name the task that started this one, and the one that it continues.

        None changes nothing. Each row has the names from now on.
        """
        self._record.parent_task_id = parent_task_id or self._record.parent_task_id
        self._record.continues = continues or self._record.continues
        if self._started.is_set():
            self._events.add_links()
            self._events.writer.start(self._group)

    async def continue_by(self, task_id: str) -> str | None:
        """Say that the task no longer waits: another task has the reply.

        Return the task that started this one, which started the other one too.
        """
        await self._started.wait()
        self._events.continue_by(task_id)
        await self._events.writer.flush()
        return self._record.parent_task_id or None

    async def run(self, response: AsyncGenerator[Batch] | None = None) -> None:
        """Follow the task by the `response` to the message that started it, if given.

        Otherwise, and when that ends, read the task from its agent.
        """
        async with anyio.create_task_group() as self._group:
            self._merger.group = self._group
            has_history = await self._events.load()
            found_late = None if response else FOUND_LATE
            self._states.start(self._away_reason if has_history else found_late)
            self._started.set()
            if self._record.has_ended:
                is_other, response = await read_first(
                    self._record, response, self._merger.read_task
                )
                if is_other:
                    self._events.begin_other()
            if self._record.has_ended:
                self._states.end()
            self._group.start_soon(self._finish_at_end)
            await self._read_to_end(response)
            await self._finish()

    def release(self) -> None:
        """Free the memory of the agent's tasks that this one has used."""
        self._record.release()

    def read_task_after(self, delay_s: float) -> None:
        """Read the task from its agent, unless its stream has ended it by then."""
        self._group.start_soon(self._read_task_later, delay_s)

    def check_quiet(self) -> None:
        """Read the task if it was quiet for a minute. Called every 5 s."""
        if self._repair.count_quiet_check():
            self.read_task_after(0)

    def check_stalled(self) -> None:
        """Mark the task if it is stalled. Called every 5 s."""
        if self._started.is_set() and not self._states.has_ended:
            self._group.start_soon(self._stall_check.run)

    def take_listed(self, task: ListedTask) -> None:
        """Take note of the task's state in ListTasks."""
        self._listed_end.take(task)

    @property
    def at(self) -> str | None:
        """The time of the task's last status, by the agent's clock."""
        return self._record.row.at if self._record.row else None

    @property
    def has_response(self) -> bool:
        """Whether the response to a message is read, on which its agent may depend."""
        responses = (Live(Source.RESPONSE), Live(Source.REPLY))
        return self._states.has_reply or self._states.state in responses

    @property
    def news(self) -> TaskNews:
        return self._events.news

    @property
    def state(self) -> TaskState:
        row = self._record.row
        return TaskState(
            self._record.task_id,
            row.status if row else None,
            "stream" if self._states.is_streaming else "looks",
            round(anyio.current_time() - self._merger.last_batch_at, 1),
        )

    @property
    def is_streaming(self) -> bool:
        """Whether updates arrive by a stream."""
        return self._states.is_streaming

    @property
    def needs_input(self) -> bool:
        """Whether the task waits for the answer to a question."""
        return self._record.needs_input

    # The responses to later messages.

    async def expect_reply(self) -> OpenStream:
        """Prepare for the response to a message for the task, before it is sent.

        An open stream is read on: it carries the same updates. Otherwise no stream is
        opened until `end_reply`, because it would repeat a part of the response.
        """
        await self._started.wait()
        if self._connection.can_stream:
            is_streaming = self._states.is_streaming
            self._states.expect_reply(needs_input=self._record.needs_input)
            if not is_streaming:
                self._own_reading.cancel()
                async with self._reading:
                    self._states.interrupt()
        self._reader.read_soon()
        return self._merger.streams.open()

    async def read_reply(
        self, stream: OpenStream, response: AsyncGenerator[Batch]
    ) -> None:
        """Read the response to a message to its end: some agents work only so long."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._cancel_at_end, group.cancel_scope)
            try:
                async for batch in response:
                    self._states.take_reply()
                    await self._merger.take(batch, stream)
            except (AgentUnreachable, A2AError) as error:
                # The task's own stream goes on where this one ended.
                self._note_broken(error)
                self._reply_gap = STREAM_BROKE
            group.cancel_scope.cancel()

    async def _cancel_at_end(self, scope: anyio.CancelScope) -> None:
        await self._events.ended.wait()
        scope.cancel()

    def end_reply(self, stream: OpenStream) -> None:
        self._merger.close_stream(stream)
        if self._connection.can_stream:
            self._states.end_reply(None if self._merger.is_ending else self._reply_gap)
        if not self._states.has_reply:
            self._reply_gap = STREAM_ENDED
            self._replies_ended.set()
        self._reader.read_soon()

    # The follower's own reading, state by state.

    async def _read_to_end(self, response: AsyncGenerator[Batch] | None) -> None:
        while not self._states.has_ended:
            if self._states.has_reply:
                self._replies_ended = anyio.Event()
                await self._replies_ended.wait()
                continue
            async with self._reading:
                with anyio.CancelScope() as self._own_reading:
                    await anyio.sleep(self._states.delay_s)
                    await self._read_stream(response)
            response = None

    async def _read_stream(self, response: AsyncGenerator[Batch] | None) -> None:
        """Read one stream until it breaks; then get ready for the next."""
        cause = None
        try:
            if response:
                await self._reader.read_stream(response, Source.RESPONSE)
            else:
                await self._reader.read()
        except TaskNotFoundError:
            await self._repair.take_unknown()
            if not self._merger.is_ending:
                self._repair.note_broken(STREAM_BROKE)
                self._states.retry()
                return
        except (AgentUnreachable, A2AError) as error:
            is_refusal = isinstance(error, A2AError)
            cause = f"{AGENT_ERROR}: {error}" if is_refusal else str(error)
            self._note_broken(error)
        if not self._merger.is_ending:
            is_clean = response and cause is None
            gap_reason = STREAM_ENDED if is_clean else STREAM_BROKE
            await self._repair.recover(cause, gap_reason)
        if self._merger.is_ending:
            await self._events.ended.wait()

    async def _read_task_later(self, delay_s: float) -> None:
        await anyio.sleep(delay_s)
        await self._started.wait()
        # A replay brings the missed updates. After GetTask they would look like a gap.
        if not self._connection.is_resumable:
            await self._repair.read()

    # The end.

    async def _finish_at_end(self) -> None:
        await self._events.ended.wait()
        await self._finish()

    async def _finish(self) -> None:
        await self._events.writer.flush()
        self._group.cancel_scope.cancel()

    def _note_broken(self, error: Exception) -> None:
        task = f"{self._record.agent}/{self._record.task_id}"
        logger.info(Line(task=task, stream="broken", cause=error))
        self._merger.note_cut()
