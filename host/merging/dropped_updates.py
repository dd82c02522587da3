"""Reports the dropped updates of a task: too large, too many, or unreadable.

A gap with their number stands before the next event, or comes after a second.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import anyio
from a2a.utils.errors import A2AError

from ..clients.bindings.types import Batch
from ..errors import AgentUnreachable
from ..model.timestamps import now
from ..protocol.gaps import DroppedUpdates
from ..protocol.task_record import TaskRecord
from .agent_row import AgentRow
from .open_streams import OpenStream
from .repeated_updates import RepeatedDrops
from .task_events import TaskEvents

DROPPED_REPORT_S = 1.0  # One gap for all updates dropped meanwhile.


class DroppedReport:
    """The dropped updates of the task of `record`."""

    def __init__(
        self, record: TaskRecord, *, events: TaskEvents, agent_row: AgentRow
    ) -> None:
        self._events = events
        self._agent_row = agent_row
        self._dropped = DroppedUpdates(record)
        self._drops = RepeatedDrops()
        self.is_running = False

    async def take(self, batch: Batch, stream: OpenStream) -> bool:
        """Count the dropped updates of a batch. Return whether there are new ones."""
        cause = batch.why or ""
        await self._agent_row.report_trouble(cause)
        count = self._drops.count_new(stream, batch.left_out, self._events.count)
        if count:
            self._dropped.add(count, cause)
            self._agent_row.left_out += count
        return count > 0

    def add_gap(self) -> None:
        """Add the gap for what was dropped since the last gap."""
        if self._dropped.count:
            self._events.writer.add(self._dropped.take_gap(now()))

    async def run(
        self,
        *,
        last_batch_at: Callable[[], float],
        write: Callable[[], Awaitable[None]],
        read_task: Callable[[], Awaitable[None]],
    ) -> None:
        """Write a gap for dropped updates also when no update follows them.

        Then read the task, for what they led to: but only when the stream is silent,
        or GetTask would be ahead of it. It must be silent twice, because a suspended
        host runs this before it reads.
        """
        silent = 0
        while self._dropped.count or silent < 2:
            before = last_batch_at()
            await anyio.sleep(DROPPED_REPORT_S)
            self.add_gap()
            await write()
            silent = silent + 1 if last_batch_at() == before else 0
        self.is_running = False
        with suppress(AgentUnreachable, A2AError):
            await read_task()
