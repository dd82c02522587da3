"""Stores the agent's tasks in memory, and numbers and keeps their updates.

The SDK saves here what publisher.py sends; request_handler.py reads the updates.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from a2a.server.agent_execution.active_task import (
    INTERRUPTED_TASK_STATES,
    TERMINAL_TASK_STATES,
)
from a2a.server.cluster.task_store import (
    ConcurrentTaskModificationError,
    StoredTask,
    VersionedTaskStore,
)
from a2a.server.cluster.version import TaskVersion
from a2a.server.context import ServerCallContext
from a2a.server.events import Event
from a2a.server.tasks import InMemoryTaskStore
from a2a.types.a2a_pb2 import (
    ListTasksRequest,
    ListTasksResponse,
    Message,
    Task,
    TaskState,
)

from . import resumable_stream
from .limits import DEFAULT_LIMITS, Limits

UPDATES = "updates"


@dataclass
class Entry:
    """The store's data about a task, besides the task."""

    owner: ServerCallContext
    updates: resumable_stream.ReplayBuffer
    state: TaskState = TaskState.TASK_STATE_UNSPECIFIED
    version: int = 0
    changed_at: float = 0.0


class TaskStore(VersionedTaskStore):
    """The tasks and their updates. Nothing is saved after a terminal state.

    `on_change` is called with each task that is saved.
    """

    def __init__(
        self,
        on_change: Callable[[Task], None],
        limits: Limits = DEFAULT_LIMITS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_change = on_change
        self._limits = limits
        self._now = now
        self._tasks = InMemoryTaskStore(use_copying=False)
        self._entries: dict[str, Entry] = {}
        # In the order in which the tasks reached that state.
        self._finished: dict[str, Entry] = {}
        self._waiting: dict[str, Entry] = {}
        self._replayable: dict[str, Entry] = {}  # finished, with updates
        self._replay_bytes = 0

    async def save(
        self,
        task: Task,
        *,
        event: Event | None,
        prev: Task | None,
        prev_version: TaskVersion,
        context: ServerCallContext,
    ) -> TaskVersion:
        """Keep a copy of `task`, and of `event`, which caused the change.

        Raises ConcurrentTaskModificationError after a terminal state.
        """
        entry = self._entries.get(task.id) or self._add_entry(task.id, context)
        if entry.state in TERMINAL_TASK_STATES:
            raise ConcurrentTaskModificationError(task.id)
        update = _streamed(event, entry.state)
        if update is not None:
            number = entry.updates.head + 1
            resumable_stream.set_number(update, number)
            resumable_stream.set_number(task, number)
        self._shorten_history(task)
        kept = Task()
        kept.CopyFrom(task)
        await self._tasks.save(kept, entry.owner)
        self._update_entry(kept, entry)
        if update is not None:
            self._replay_bytes -= entry.updates.bytes
            entry.updates.add(update)
            self._replay_bytes += entry.updates.bytes
        if entry.state in TERMINAL_TASK_STATES:
            entry.updates.close()
        self._on_change(kept)
        await self.evict()
        return TaskVersion(entry.version)

    async def get(self, task_id: str, context: ServerCallContext) -> StoredTask | None:
        """Return a copy of the task, or None if the caller has no such task."""
        kept = await self._tasks.get(task_id, context)
        if kept is None:
            return None
        task = Task()
        task.CopyFrom(kept)
        return StoredTask(task, TaskVersion(self._entries[task_id].version))

    async def list(
        self, params: ListTasksRequest, context: ServerCallContext
    ) -> ListTasksResponse:
        return await self._tasks.list(params, context)

    async def delete(self, task_id: str, context: ServerCallContext) -> None:
        await self._tasks.delete(task_id, context)
        self._waiting.pop(task_id, None)
        self._finished.pop(task_id, None)
        self._replayable.pop(task_id, None)
        self._replay_bytes -= self._entries.pop(task_id).updates.bytes

    def find_updates(self, task_id: str) -> resumable_stream.ReplayBuffer | None:
        entry = self._entries.get(task_id)
        return entry.updates if entry else None

    def updates_of(self, context: ServerCallContext) -> resumable_stream.ReplayBuffer:
        """Return the updates of the task that this call started.

        The call may have lost the race with the eviction of the task.
        """
        updates: resumable_stream.ReplayBuffer = context.state[UPDATES]
        return updates

    def find_overdue(self) -> Sequence[str]:
        """Return the waiting tasks that are too old or too many."""
        return tuple(self._surplus(self._waiting))

    async def evict(self) -> None:
        """Delete finished tasks that are too old or too many, then surplus updates."""
        for task_id, entry in self._surplus(self._finished).items():
            await self.delete(task_id, entry.owner)
        while self._replayable and (
            self._replay_bytes > self._limits.total_replay_bytes
        ):
            updates = self._replayable.pop(next(iter(self._replayable))).updates
            self._replay_bytes -= updates.bytes
            updates.clear()

    def close(self) -> None:
        """End all streams."""
        for entry in self._entries.values():
            entry.updates.close()

    def _surplus(self, entries: dict[str, Entry]) -> dict[str, Entry]:
        """Return the oldest entries that exceed a limit."""
        too_many = len(entries) - self._limits.tasks
        oldest_at = self._now() - self._limits.age_s
        surplus = takewhile(
            lambda place: place[0] < too_many or place[1][1].changed_at < oldest_at,
            enumerate(entries.items()),
        )
        return dict(item for _, item in surplus)

    def _add_entry(self, task_id: str, context: ServerCallContext) -> Entry:
        updates = resumable_stream.ReplayBuffer(
            self._limits.replay_updates, self._limits.replay_bytes
        )
        context.state[UPDATES] = updates
        # The caller's context would keep the whole request in memory.
        owner = ServerCallContext(user=context.user, tenant=context.tenant)
        entry = self._entries[task_id] = Entry(owner, updates)
        return entry

    def _update_entry(self, task: Task, entry: Entry) -> None:
        entry.version += 1
        entry.state = task.status.state
        entry.changed_at = self._now()
        self._waiting.pop(task.id, None)
        if entry.state in INTERRUPTED_TASK_STATES:
            self._waiting[task.id] = entry
        elif entry.state in TERMINAL_TASK_STATES:
            self._finished[task.id] = self._replayable[task.id] = entry

    def _shorten_history(self, task: Task) -> None:
        """Keep the first message and the newest: the SDK copies them all each time."""
        if len(task.history) > self._limits.history:
            del task.history[1 : -(self._limits.history // 2)]


def _streamed(event: Event | None, state: TaskState) -> resumable_stream.Update | None:
    """Return the event if the SDK streams it.

    It does not stream a Task that is saved again only to add a person's message.
    """
    if isinstance(event, Task) and event.status.state == state:
        return None
    return None if isinstance(event, Message) else event
