"""Decides when a task is stalled: its agent has sent no news for too long.

The host asks the agent first. A host that was down or suspended has yet to read what
came meanwhile.
"""

from __future__ import annotations

import anyio
from a2a.utils.errors import A2AError

from ..clients.connection import Connection
from ..errors import AgentUnreachable
from ..merging.follower_states import FollowerStates
from ..merging.task_merger import TaskMerger
from ..model.event import WAITING
from ..protocol.task_record import TaskRecord

RETRY_S = 30.0
# A GetTask that always fails must not hide that the task's stream is silent.
MAX_FAILURES = 3


class StallCheck:
    """Marks the task when it has been without news for `after_s`; 0 never marks it.

    A task that waits for an answer is not stalled: it waits for a person.
    """

    def __init__(
        self,
        record: TaskRecord,
        *,
        connection: Connection,
        states: FollowerStates,
        merger: TaskMerger,
        after_s: float,
    ) -> None:
        self._record = record
        self._connection = connection
        self._states = states
        self._merger = merger
        self._after_s = after_s
        self._was_due = False
        self._is_reading = False
        self._failures = 0
        self._retry_at = 0.0

    async def run(self) -> None:
        """Mark the task if it is stalled. Call this every few seconds."""
        if not self._is_due:
            self._was_due, self._failures = False, 0
            return
        if self._is_reading or anyio.current_time() < self._retry_at:
            return
        self._is_reading = True
        try:
            has_read = await self._read()
        finally:
            self._is_reading = False
        if has_read and self._is_due:
            self._merger.events.add_stalled()
            self._merger.events.writer.start(self._merger.group)

    @property
    def _is_due(self) -> bool:
        row, events = self._record.row, self._merger.events
        return (
            0 < self._after_s <= events.news.quiet_s
            and row is not None
            and row.is_open
            and not row.is_stalled
            and row.status not in WAITING
            and not self._merger.is_ending
            and not events.writer.is_writing
        )

    async def _read(self) -> bool:
        """Read what the agent has. Return whether the host can be sure that it did."""
        if self._connection.is_resumable and self._connection.can_subscribe:
            # GetTask would be ahead of a replay. At the second call, the host has read
            # the stream meanwhile.
            was_due, self._was_due = self._was_due, True
            return was_due and self._states.is_streaming
        try:
            await self._merger.take_task(await self._merger.read_task())
        except (AgentUnreachable, A2AError):
            self._failures += 1
            self._retry_at = anyio.current_time() + RETRY_S
            return self._states.is_streaming and self._failures >= MAX_FAILURES
        return True
