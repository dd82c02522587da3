"""Reads one task's updates from its agent: by subscription, or else by polling.

The follower takes the updates; the reader tells the follower's states how they come.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
from a2a.utils.errors import A2AError, TaskNotFoundError

from ..clients.bindings.types import Batch
from ..clients.connection import MAX_STREAMS, TASK_POLL_S, UNSUPPORTED, Connection
from ..observability.logfmt import Line
from ..protocol.task_record import TaskRecord
from .agent_row import AgentRow
from .follower_states import FollowerStates, Source

logger = logging.getLogger("courtside.task_reader")

FREE_STREAM_S = 30.0  # Without a free stream, the task is read so often.
NO_FREE_STREAM = (
    f"over {MAX_STREAMS} of its tasks are open: the others wait for a free stream"
)


class TaskReader:
    """Reads the task of `record`. Raises what the connection raises."""

    def __init__(
        self,
        record: TaskRecord,
        connection: Connection,
        agent_row: AgentRow,
        states: FollowerStates,
    ) -> None:
        self._record = record
        self._connection = connection
        self._agent_row = agent_row
        self._states = states
        self._task_id = record.task_id

    async def read(self) -> AsyncGenerator[Batch]:
        """Yield the task's updates from now on, in the best way the agent has."""
        if self._connection.can_subscribe:
            async with aclosing(self._read_stream()) as batches:
                async for batch in batches:
                    yield batch
        if not self._connection.can_subscribe:
            async with aclosing(self._poll()) as batches:
                async for batch in batches:
                    yield batch

    async def _get_task(self) -> Batch:
        return Batch([await self._connection.get_task(self._task_id)])

    async def _poll(self, *, while_needs_input: bool = False) -> AsyncGenerator[Batch]:
        record = self._record
        while not record.has_ended and (record.needs_input or not while_needs_input):
            self._states.poll()
            yield await self._get_task()
            await anyio.sleep(TASK_POLL_S)

    async def _read_stream(self) -> AsyncGenerator[Batch]:
        needed_input = self._record.needs_input
        async with aclosing(self._read_until_stream_is_free()) as batches:
            async for batch in batches:
                yield batch
        try:
            await self._connection.wait_to_open()
            async with aclosing(self._subscribe()) as batches:
                async for batch in batches:
                    self._states.open_stream(Source.SUBSCRIPTION)
                    yield batch
            return
        except (TaskNotFoundError, *UNSUPPORTED):
            self._states.refuse_stream()
        finally:
            self._connection.stream_slots.release()
        # The task has ended, or it needs input and does not run, or the agent has no
        # SubscribeToTask at all.
        yield await self._get_task()
        if self._record.needs_input:
            async with aclosing(self._poll(while_needs_input=True)) as batches:
                async for batch in batches:
                    yield batch
        elif not self._record.has_ended and not needed_input:
            self._connection.can_subscribe = False
            await self._agent_row.set_connected(self._connection)

    async def _read_until_stream_is_free(self) -> AsyncGenerator[Batch]:
        """Read the task now and then until a stream to the agent is free. Take that."""
        slots = self._connection.stream_slots
        while slots.value == 0:
            await self._agent_row.report_trouble(NO_FREE_STREAM)
            if not self._connection.is_resumable:
                self._states.lack_stream(NO_FREE_STREAM)
                yield await self._get_task()
                self._states.lack_stream(NO_FREE_STREAM)
            with anyio.move_on_after(FREE_STREAM_S):
                await slots.acquire()
                return
        slots.acquire_nowait()

    async def _subscribe(self) -> AsyncGenerator[Batch]:
        record = self._record
        if self._connection.is_resumable:
            after = 0 if record.row is None else record.sequence
            try:
                async with aclosing(
                    self._connection.subscribe(self._task_id, after)
                ) as batches:
                    async for batch in batches:
                        yield batch
                return
            except TaskNotFoundError:
                raise
            except A2AError as error:
                # UpdatesGone, or what the agent has for it: 0.3 has no such error.
                task = f"{record.agent}/{record.task_id}"
                logger.info(Line(task=task, replay="refused", cause=error))
        async with aclosing(self._connection.subscribe(self._task_id)) as batches:
            async for batch in batches:
                yield batch
