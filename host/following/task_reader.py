"""Reads one task's updates from its agent: by subscription, or else by polling."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

import anyio
from a2a.utils.errors import A2AError, TaskNotFoundError

from ..clients.bindings.types import Batch
from ..clients.connection import MAX_STREAMS, TASK_POLL_S, UNSUPPORTED, Connection
from ..errors import AgentUnreachable
from ..merging.agent_row import AgentRow
from ..merging.follower_states import FollowerStates, Source
from ..merging.task_merger import TaskMerger
from ..observability.logfmt import Line
from ..protocol.task_record import TaskRecord

logger = logging.getLogger("courtside.task_reader")

FREE_STREAM_S = 30.0  # How often the task is read while no stream is free.
MAX_POLL_S = 5.0
QUIET_POLLS = 10  # Polls without news, then each pause is TASK_POLL_S longer.
PROOF_S = 2.0  # How long a subscription may take to begin with a Task.
NO_FREE_STREAM = (
    f"over {MAX_STREAMS} of its tasks are open: the others wait for a free stream"
)


class TaskReader:
    """Gives all that it reads to `merger`, until the task has ended.

    Every method raises the errors of the connection.
    """

    def __init__(
        self,
        record: TaskRecord,
        *,
        connection: Connection,
        agent_row: AgentRow,
        states: FollowerStates,
        merger: TaskMerger,
    ) -> None:
        self._record = record
        self._connection = connection
        self._agent_row = agent_row
        self._states = states
        self._merger = merger
        self._poll_soon = anyio.Event()

    async def read(self) -> None:
        """Read the task's updates in the best way that the agent supports."""
        if self._connection.can_subscribe:
            if not await self._take_stream_slot():
                return
            try:
                is_refused = not await self._read_subscription()
            finally:
                self._connection.stream_slots.release()
            if is_refused:
                await self._read_after_refusal()
        if not self._connection.can_subscribe:
            await self._poll()

    def read_soon(self) -> None:
        """Poll the task now, and often at first: somebody did something with it."""
        self._poll_soon.set()

    async def read_stream(self, batches: AsyncGenerator[Batch], source: Source) -> None:
        """Read a stream to its end, or until the task has ended."""
        is_subscription = source is Source.SUBSCRIPTION
        stream = self._merger.streams.open(is_subscription=is_subscription)
        try:
            async with aclosing(batches):
                async for batch in batches:
                    self._states.open_stream(source)
                    self._merger.is_stored |= source is Source.SUBSCRIPTION
                    await self._merger.take(batch, stream)
                    if self._record.has_ended or stream.is_too_late:
                        return  # Not every agent ends the stream then.
                    del batch  # A quiet stream must not keep it in memory.
        finally:
            self._merger.close_stream(stream)

    async def _take_stream_slot(self) -> bool:
        """Wait for a slot and read the task meanwhile. Return False if it ended."""
        slots = self._connection.stream_slots
        while not self._merger.is_ending:
            if slots.value:
                slots.acquire_nowait()
                return True
            await self._agent_row.report_trouble(NO_FREE_STREAM)
            if not self._connection.is_resumable:
                self._states.lack_stream(NO_FREE_STREAM)
                await self._read_task()
                self._states.lack_stream(NO_FREE_STREAM)
            with anyio.move_on_after(FREE_STREAM_S):
                await slots.acquire()
                return True
        return False

    async def _read_subscription(self) -> bool:
        """Return whether the agent has a subscription for the task as it is now."""
        try:
            await self._connection.wait_to_open()
            if not await self._read_replay():
                await self._subscribe(None)
        except (TaskNotFoundError, *UNSUPPORTED):
            self._states.refuse_stream()
            return False
        return True

    async def _read_replay(self) -> bool:
        """Resume after the last number in the feed. Return whether that is possible."""
        record = self._record
        if not self._connection.is_resumable:
            return False
        try:
            await self._subscribe(0 if record.row is None else record.sequence)
        except TaskNotFoundError:
            raise
        except A2AError as error:
            # UpdatesGone, or another error: 0.3 does not define it.
            task = f"{record.agent}/{record.task_id}"
            logger.info(Line(task=task, replay="refused", cause=error))
            return False
        return True

    async def _subscribe(self, after: int | None) -> None:
        stream = self._connection.subscribe(self._record.task_id, after)
        scope = anyio.CancelScope()
        if after is None:
            self._merger.group.start_soon(self._close_gap, scope)
        try:
            await self.read_stream(stream, Source.SUBSCRIPTION)
        finally:
            scope.cancel()

    async def _close_gap(self, scope: anyio.CancelScope) -> None:
        """Read the Task if the subscription does not begin with it, as in A2A 0.3."""
        with scope:
            await anyio.sleep(PROOF_S)
            if self._states.pending_gap:
                with suppress(AgentUnreachable, A2AError):
                    await self._read_task()

    async def _read_after_refusal(self) -> None:
        """Find out why: the task has ended, or waits for input, or the agent has no
        subscriptions at all."""
        needed_input = self._record.needs_input
        await self._read_task()
        if self._record.needs_input:
            await self._poll(while_needs_input=True)
        elif not self._merger.is_ending and not needed_input:
            self._connection.can_subscribe = False
            await self._agent_row.set_connected(self._connection)

    async def _poll(self, *, while_needs_input: bool = False) -> None:
        record, quiet = self._record, 0
        while record.needs_input or not while_needs_input:
            self._states.poll()
            quiet = 0 if await self._read_task() else quiet + 1
            if self._merger.is_ending:
                return
            self._poll_soon = anyio.Event()
            pause_s = min(TASK_POLL_S * (1 + quiet // QUIET_POLLS), MAX_POLL_S)
            with anyio.move_on_after(pause_s):
                await self._poll_soon.wait()
                quiet = 0

    async def _read_task(self) -> bool:
        """Return whether the Task has news. Raises what GetTask raises."""
        return await self._merger.take_task(await self._merger.read_task())
