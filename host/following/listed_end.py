"""Ends a task that has ended in ListTasks, but on none of its streams.

Its stream may hang, or its Task may be too large to read.
"""

from __future__ import annotations

from typing import cast

import anyio
from a2a.utils.errors import A2AError

from ..clients.bindings.unreachable_errors import has_no_response
from ..clients.connection import Connection
from ..errors import AgentUnreachable
from ..merging.follower_states import FollowerStates
from ..merging.responses import is_end
from ..merging.task_merger import TaskMerger
from ..protocol.a2a_objects import ListedTask, State, Status
from ..protocol.gaps import STREAM_SILENT
from ..protocol.task_status import is_terminal

# The pauses before the tries to read the task: its stream may be about to end it.
READ_AFTER_S = (1.0, 2.0, 4.0)


class ListedEnd:
    """Belongs to one follower. Runs in the task group of `merger`."""

    def __init__(
        self, connection: Connection, merger: TaskMerger, states: FollowerStates
    ) -> None:
        self._connection = connection
        self._merger = merger
        self._states = states
        self._is_running = False

    def take(self, task: ListedTask) -> None:
        """Take note of the task's state in ListTasks.

        A resumable agent replays the end: GetTask must not be ahead of it.
        """
        if self._connection.is_resumable:
            return
        if is_terminal(task.state) and not self._is_running:
            self._is_running = True
            self._merger.group.start_soon(self._end, task)

    async def _end(self, task: ListedTask) -> None:
        """Read the task. If that fails, end it with the listed state after a gap.

        A stream that still brings updates is behind the list, and goes first. An agent
        that does not respond may have the task when it is back: it stays open.
        """
        error: Exception | None = None
        for pause_s in READ_AFTER_S:
            await self._wait_for_silence(pause_s)
            error = await self._read()
            if error and "too large" in str(error):
                break  # It stays too large: do not try again.
        is_silent = isinstance(error, AgentUnreachable) and has_no_response(error)
        if error and not (is_silent or self._merger.is_ending):
            status = Status(cast("State", task.state), timestamp=task.timestamp)
            reason = f"the end could not be read: {error}"
            self._merger.events.end_unread(status, reason)
        self._is_running = False

    async def _read(self) -> Exception | None:
        """Add what GetTask returns. Return the error if it fails."""
        try:
            update = await self._merger.read_task()
        except (AgentUnreachable, A2AError) as error:
            return error
        has_hung = self._states.is_streaming and is_end(update.response)
        if has_hung and not self._states.pending_gap:
            self._states.pending_gap = STREAM_SILENT
        await self._merger.take_task(update)
        return None

    async def _wait_for_silence(self, pause_s: float) -> None:
        """Wait until no update has come for `pause_s`, and all are in the feed."""
        last_batch_at = -1.0
        while self._merger.events.writer.is_writing or (
            last_batch_at != self._merger.last_batch_at
        ):
            last_batch_at = self._merger.last_batch_at
            await anyio.sleep(pause_s)
