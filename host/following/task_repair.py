"""Reads one task from its agent, where its streams may have missed something."""

from __future__ import annotations

import logging

import anyio
from a2a.utils.errors import A2AError, TaskNotFoundError

from ..clients.bindings.unreachable_errors import AGENT_ERROR
from ..clients.connection import Connection
from ..errors import AgentUnreachable
from ..merging.agent_row import AgentRow
from ..merging.follower_states import FollowerStates
from ..merging.task_merger import TaskMerger
from ..observability.logfmt import Line
from ..protocol.task_record import TaskRecord

logger = logging.getLogger("courtside.follower")

# Some agents forget a subscriber, and neither send nor end anything.
MAX_QUIET_CHECKS = 12
MAX_UNSEEN = 4  # Failures in a row before an unseen task is read from its agent.
UNSTORED_S = 30.0  # An agent without a store may still answer for so long.
UNSTORED = (
    "GetTask does not know a task that the agent has just streamed: it keeps no tasks, "
    "so updates that are lost on the way stay lost"
)


class TaskRepair:
    """Belongs to one follower."""

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
        self._quiet_checks = 0
        self._checked_at = merger.last_batch_at

    async def read(self) -> None:
        """Add what GetTask returns to the feed, or end a task that the agent lost."""
        try:
            await self._merger.take_task(await self._merger.read_task())
        except TaskNotFoundError:
            await self.take_unknown()
        except (AgentUnreachable, A2AError) as error:
            name = f"{self._record.agent}/{self._record.task_id}"
            logger.info(Line(task=name, state="unread", cause=error))
            if self._merger.source.is_too_large:
                await self._agent_row.report_trouble(str(error))

    def note_broken(self, gap_reason: str) -> None:
        """Take note that the task's own stream has ended before the task."""
        can_stream = self._connection.can_stream
        self._states.break_stream(gap_reason if can_stream else None)

    async def recover(self, cause: str | None, gap_reason: str) -> None:
        """Read what the end of a stream may hide, and get ready for the next stream."""
        is_agent_error = cause is not None and AGENT_ERROR in cause
        if is_agent_error:
            gap_reason = f"{cause}: updates after it may be missing"
        self.note_broken(gap_reason)
        failures = self._states.failures
        # A replay, or an open response, must not be cut short by GetTask.
        is_unseen = self._record.row is None and failures > MAX_UNSEEN
        will_replay = self._connection.is_resumable and not is_unseen
        if not (will_replay or self._states.has_reply):
            self._states.repair()
            await self.read()
        if cause and (failures > 2 or is_agent_error):
            await self._agent_row.report_trouble(cause)
        if not self._merger.is_ending:
            self._states.retry(is_too_large=self._merger.source.is_too_large)

    async def take_unknown(self) -> None:
        """End a task that GetTask does not find, unless the agent stores no tasks."""
        if self._merger.is_ending:
            return
        quiet_s = anyio.current_time() - self._merger.last_batch_at
        is_unstored = self._merger.has_live_updates and not self._merger.is_stored
        if is_unstored and (self._record.needs_input or quiet_s < UNSTORED_S):
            await self._agent_row.report_trouble(UNSTORED)
            return
        name = self._record.agent
        reason = f"{name} restarted and no longer knows this task"
        self._merger.events.lose(reason)

    def count_quiet_check(self) -> bool:
        """Return whether the task was quiet for a minute. Call it every 5 s.

        Counts calls, not time: a host that was suspended has yet to read what came
        meanwhile. A task whose events wait for the log is not quiet: GetTask would be
        ahead of them.
        """
        last_batch_at = self._merger.last_batch_at
        is_busy = (
            self._merger.events.writer.is_writing or last_batch_at != self._checked_at
        )
        self._checked_at = last_batch_at
        self._quiet_checks = 0 if is_busy else self._quiet_checks + 1
        if self._quiet_checks <= MAX_QUIET_CHECKS:
            return False
        self._quiet_checks = 0
        return True
