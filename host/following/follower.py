"""Follows one open task of one agent: puts its updates into the feed, until it ends.

The collector runs one follower for each task that it finds or starts. `follower_states`
has the states of a follower. When a stream breaks, the follower resumes it where the
agent can do that. Elsewhere it reads the task once, and a gap says that updates may be
missing.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator

import anyio
from a2a.utils.errors import A2AError, TaskNotFoundError
from msgspec.structs import replace

from ..clients.bindings.types import Batch, Update
from ..clients.connection import Connection
from ..errors import AgentUnreachable
from ..feed.feed import Feed
from ..model.debug_state import TaskState
from ..model.event import Event
from ..model.timestamps import now
from ..observability.logfmt import Line
from ..protocol.event_builders import build_lost_row
from ..protocol.gaps import STREAM_BROKE, DroppedUpdates, gap_of_lost_task
from ..protocol.task_record import TaskRecord
from ..protocol.task_status import is_terminal
from ..protocol.translate import translate
from .agent_row import AgentRow
from .follower_states import FollowerStates, Source
from .repeated_chunks import RepeatedChunks
from .task_reader import TaskReader
from .task_writer import TaskWriter

logger = logging.getLogger("courtside.follower")

MAX_UNSEEN = 4  # Failures in a row before an unseen task is read from its agent.
DROPPED_REPORT_S = 1.0  # One gap for all updates dropped meanwhile.
# Some agents forget a subscriber, and neither send nor end anything.
MAX_QUIET_CHECKS = 12


class Follower:
    """Follows the task while `run` runs: to its end, or until its agent forgets it."""

    def __init__(
        self, task_id: str, connection: Connection, feed: Feed, agent_row: AgentRow
    ) -> None:
        self._connection = connection
        self._agent_row = agent_row
        self._task_id = task_id
        self._name = f"{agent_row.name}/{task_id}"
        self._record = TaskRecord(agent_row.name, task_id)
        self._states = FollowerStates()
        self._reader = TaskReader(
            self._record,
            connection=connection,
            agent_row=agent_row,
            states=self._states,
            take=self._take,
        )
        self._writer = TaskWriter(agent_row.name, task_id, feed)
        self._dropped = DroppedUpdates(self._record)
        self._repeated = RepeatedChunks(self._record, connection)
        self._is_reporting = False
        self._last_batch_at = anyio.current_time()
        self._quiet_checks = 0
        self._started = anyio.Event()
        self._reading = anyio.Lock(fast_acquire=True)
        self._own_reading = anyio.CancelScope()

    def set_parent(self, parent_task_id: str) -> None:
        """Name the task that started this one in each row from now on."""
        self._record.parent_task_id = parent_task_id
        if self._started.is_set():
            self._add_parent()
            self._writer.start(self._group)

    async def run(self, response: AsyncGenerator[Batch] | None = None) -> None:
        """Follow the task by the `response` to the message that started it, if given.

        Otherwise, and when that ends, read the task from its agent.
        """
        async with anyio.create_task_group() as self._group:
            async with self._reading:
                has_history = await self._writer.load(self._record)
                if has_history:
                    self._add_parent()
                self._states.start(has_history=has_history)
                self._started.set()
            await self._read_to_end(response)
            await self._finish()

    def can_take_reply(self) -> bool:
        """Return whether to read the response to a message sent now by `read_reply`."""
        return self._states.can_take_reply(needs_input=self._record.needs_input)

    async def read_reply(self, response: AsyncGenerator[Batch]) -> None:
        """Read the response to a message to its end, instead of the own stream.

        With two streams, nobody could tell a new update from a repeated one.
        """
        self._states.expect_reply()
        try:
            self._own_reading.cancel()
            async with self._reading:
                self._states.take_reply(needs_input=self._record.needs_input)
                async for batch in response:
                    if not self._states.has_ended:
                        await self._take(batch)
                        self._finish_if_ended()
        except (AgentUnreachable, A2AError) as error:
            # The task's own stream goes on where this one ended.
            self._log_broken(error)
        finally:
            self._states.end_reply(self._gap_reason)

    def read_task_after(self, delay_s: float) -> None:
        """Read the task from its agent, unless its stream has ended it by then."""
        self._group.start_soon(self._read_task_later, delay_s)

    def check_quiet(self) -> None:
        """Read the task if it was quiet for a minute. Called every 5 s.

        Counts calls, not time: a host that was suspended has yet to read what came
        meanwhile. A task whose events wait for the log is not quiet: GetTask would be
        ahead of them.
        """
        is_writing = self._writer.is_writing
        self._quiet_checks = 0 if is_writing else self._quiet_checks + 1
        if self._quiet_checks > MAX_QUIET_CHECKS:
            self._quiet_checks = 0
            self.read_task_after(0)

    @property
    def state(self) -> TaskState:
        row = self._record.row
        return TaskState(
            self._task_id,
            row.status if row else None,
            "stream" if self._states.is_streaming else "looks",
            round(anyio.current_time() - self._last_batch_at, 1),
        )

    # The follower's own reading, state by state.

    async def _read_to_end(self, response: AsyncGenerator[Batch] | None) -> None:
        if self._record.has_ended:
            self._states.end()
        try:
            while not self._states.has_ended:
                async with self._reading:
                    if self._states.has_reply:
                        continue  # Its reader waits for the lock.
                    with anyio.CancelScope() as self._own_reading:
                        await anyio.sleep(self._states.delay_s)
                        await self._read_stream(response)
                response = None
        except TaskNotFoundError:
            self._lose_task()

    async def _read_stream(self, response: AsyncGenerator[Batch] | None) -> None:
        """Read one stream until it breaks; then get ready for the next."""
        cause = None
        try:
            if response:
                await self._reader.read_stream(response, Source.RESPONSE)
            else:
                await self._reader.read()
        except TaskNotFoundError:
            raise
        except (AgentUnreachable, A2AError) as error:
            cause = str(error)
            self._log_broken(error)
        if not self._states.has_ended:
            await self._recover(cause)

    async def _recover(self, cause: str | None) -> None:
        self._states.break_stream(self._gap_reason)
        failures = self._states.failures
        # A replay must not be cut short by GetTask.
        is_unseen = self._record.row is None and failures > MAX_UNSEEN
        if is_unseen or not self._connection.is_resumable:
            self._states.repair()
            await self._read_task()
        if cause and failures > 2:
            await self._agent_row.report_trouble(cause)
        self._states.retry()

    @property
    def _gap_reason(self) -> str | None:
        return STREAM_BROKE if self._connection.can_stream else None

    # Updates into events.

    async def _take(self, batch: Batch) -> None:
        """Write what the batch adds to the feed."""
        self._last_batch_at = anyio.current_time()
        self._quiet_checks = 0
        is_new, received_at = False, now()
        for update in batch.updates:
            if self._repeated.are_possible or self._states.pending_gap:
                is_new |= await self._take_update(update, received_at)
            else:
                is_new |= self._add_update(update, received_at)
        if batch.left_out:
            await self._take_dropped(batch.left_out, batch.why or "")
        if is_new:
            self._states.reset_backoff()
        await self._write()

    async def _take_update(self, update: Update, received_at: str) -> bool:
        """Add an update that may be a repeat, or may come after missing updates."""
        if self._repeated.are_possible and await self._repeated.is_repeat(update):
            return False
        if self._states.pending_gap and _is_end(update):
            # Nothing is added after the end, so read now what came before it.
            update = await self._try_get_task() or update
        return self._add_update(update, received_at)

    def _add_update(self, update: Update, received_at: str) -> bool:
        pending_gap = self._states.take_pending_gap()
        events = translate(self._record, update.response, received_at, pending_gap)
        if self._dropped.count:
            self._writer.add(self._dropped.take_gap(now()))
        self._add_events(events, update.raw)
        self._repeated.note(update.response, events)
        return bool(events)

    def _add_events(self, events: list[Event], raw: bytes | None = None) -> None:
        self._record.add(events)
        self._writer.add(events, raw)
        if self._record.has_ended:
            self._states.end()

    def _add_parent(self) -> None:
        """Name the parent of a task that was found before its parent was known."""
        row, parent = self._record.row, self._record.parent_task_id
        if row and row.parent_task_id != parent:
            self._add_events([replace(row, parent_task_id=parent, received_at=now())])

    async def _take_dropped(self, count: int, cause: str) -> None:
        self._dropped.add(count, cause)
        self._agent_row.left_out += count
        if not self._is_reporting:
            self._is_reporting = True
            self._group.start_soon(self._report_dropped)
        await self._agent_row.report_trouble(cause)

    async def _report_dropped(self) -> None:
        """Write a gap for dropped updates also when no update follows them.

        Then read the task, for what they led to: but only when the stream is silent,
        or GetTask would be ahead of it. It must be silent twice, because a suspended
        host runs this before it reads.
        """
        silent = 0
        while self._dropped.count or silent < 2:
            last_batch_at = self._last_batch_at
            await anyio.sleep(DROPPED_REPORT_S)
            self._writer.add(self._dropped.take_gap(now()))
            await self._write()
            silent = silent + 1 if self._last_batch_at == last_batch_at else 0
        self._is_reporting = False
        await self._read_task()

    async def _write(self) -> None:
        self._writer.start(self._group)
        await self._writer.wait_for_room()

    # The task as its agent has it.

    async def _read_task(self) -> None:
        """Add what GetTask returns to the feed, or end a task that the agent lost."""
        try:
            update = await self._connection.get_task(self._task_id)
            if not self._states.has_reply:
                await self._take_update(update, now())
                await self._write()
        except TaskNotFoundError:
            self._lose_task()
        except (AgentUnreachable, A2AError) as error:
            logger.info(Line(task=self._name, state="unread", cause=error))
        self._finish_if_ended()

    async def _try_get_task(self) -> Update | None:
        try:
            return await self._connection.get_task(self._task_id)
        except (AgentUnreachable, A2AError):
            return None

    async def _read_task_later(self, delay_s: float) -> None:
        await anyio.sleep(delay_s)
        await self._started.wait()
        # A replay would follow; GetTask ahead of it would make a gap of it.
        if not self._connection.is_resumable:
            await self._read_task()

    # The end.

    def _lose_task(self) -> None:
        """End a task that its agent no longer knows. An unseen one leaves no trace."""
        row = self._record.row
        if row is None:
            return
        reason = f"{self._record.agent} restarted and no longer knows this task"
        received_at = now()
        gap = gap_of_lost_task(self._record, reason, received_at)
        self._add_events([gap, build_lost_row(row, reason, received_at)])

    def _finish_if_ended(self) -> None:
        if self._states.has_ended:
            self._group.start_soon(self._finish)

    async def _finish(self) -> None:
        await self._writer.flush()
        self._group.cancel_scope.cancel()

    def _log_broken(self, error: Exception) -> None:
        logger.info(Line(task=self._name, stream="broken", cause=error))


def _is_end(update: Update) -> bool:
    status_update = update.response.status_update
    return status_update is not None and is_terminal(status_update.status.state)
