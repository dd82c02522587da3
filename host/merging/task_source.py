"""Reads one task with GetTask, also if its Task is too large.

Then only its state can be known, and the agent is not asked again for a minute.
"""

from __future__ import annotations

import anyio

from ..clients.bindings.types import TaskTooLarge, Update
from ..clients.connection import Connection
from .follower_states import TOO_LARGE_S

MAX_READS = 3


class TaskSource:
    """GetTask for one task.

    `is_too_large`: the last Task was over the limit. `update_count` is the number of
    updates that have come by streams.
    """

    def __init__(self, connection: Connection, task_id: str) -> None:
        self._connection = connection
        self._task_id = task_id
        self.update_count = 0
        self._error: TaskTooLarge | None = None
        self._next_at = 0.0

    @property
    def is_too_large(self) -> bool:
        return self._error is not None

    async def read(self) -> Update:
        """Read the Task, and again if it may be older than an update.

        Raises what GetTask raises: TaskTooLarge again without a request.
        """
        for _ in range(MAX_READS):
            count = self.update_count
            update = await self._read_once()
            if count == self.update_count:
                break
        return update

    async def _read_once(self) -> Update:
        if self._error and anyio.current_time() < self._next_at:
            raise self._error
        try:
            update = await self._connection.get_task(self._task_id)
        except TaskTooLarge as error:
            self._error = error
            self._next_at = anyio.current_time() + TOO_LARGE_S
            raise
        self._error = None
        return update
