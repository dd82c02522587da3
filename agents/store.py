"""Owns every task of the agent: what it is now, and the tape of what was streamed.

The SDK saves here what performance.py published; handler.py reads the tapes; a
callback (the ticker's) hears of every change.
"""

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass

from a2a.server.agent_execution.active_task import (
    INTERRUPTED_TASK_STATES,
    TERMINAL_TASK_STATES,
)
from a2a.server.cluster.event_stream import TaskEventStream, VersionedEvent
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

from agents import resume
from agents.limits import DEFAULT_LIMITS, Limits
from agents.resume import Numbered, Tape


@dataclass
class Entry:
    """What the store knows of a task besides the task itself."""

    owner: ServerCallContext
    tape: Tape
    state: TaskState = TaskState.TASK_STATE_UNSPECIFIED
    version: int = 0
    changed_at: float = 0.0


class Store(VersionedTaskStore, TaskEventStream):
    """The tasks in memory, and their streams, so that both always agree.

    A terminal state is the last word: whoever saves after it is refused, whatever
    raced. Every update gets its number here, in the order in which it was saved.
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
        # Tapes that are read before their task is saved for the first time.
        self._awaited: dict[str, Tape] = {}
        # All in the order in which they came there.
        self._over: dict[str, Entry] = {}
        self._waiting: dict[str, Entry] = {}
        self._replayable: dict[str, Entry] = {}  # of those that are over
        self._tapes_bytes = 0

    async def save(
        self,
        task: Task,
        *,
        event: Event | None,
        prev: Task | None,
        prev_version: TaskVersion,
        context: ServerCallContext,
    ) -> TaskVersion:
        """Keeps a copy of `task`; `event` is what made it so, and goes on the tape.

        Raises ConcurrentTaskModificationError after a terminal state.
        """
        entry = self._entries.get(task.id) or self._enter(task.id, context)
        if entry.state in TERMINAL_TASK_STATES:
            raise ConcurrentTaskModificationError(task.id)
        update = _update_in(event, entry.state)
        if update is not None:
            resume.number(update, entry.tape.head + 1)
            resume.number(task, entry.tape.head + 1)
        self._shorten(task)
        kept = Task()
        kept.CopyFrom(task)
        await self._tasks.save(kept, entry.owner)
        self._file(kept, entry)
        if update is not None:
            self._tapes_bytes -= entry.tape.bytes
            entry.tape.add(update)
            self._tapes_bytes += entry.tape.bytes
        if entry.state in TERMINAL_TASK_STATES:
            entry.tape.end()
        self._on_change(kept)
        await self.evict()
        return TaskVersion(entry.version)

    async def get(self, task_id: str, context: ServerCallContext) -> StoredTask | None:
        """A copy of the task as it is now, None where the caller has no such task."""
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
        self._over.pop(task_id, None)
        self._replayable.pop(task_id, None)
        self._tapes_bytes -= self._entries.pop(task_id).tape.bytes

    def tape(self, task_id: str) -> Tape:
        """The tape of a task, also of one that is about to be saved."""
        entry = self._entries.get(task_id)
        if entry is not None:
            return entry.tape
        return self._awaited.setdefault(task_id, self._new_tape())

    def head(self, task_id: str) -> int:
        """The number of the task's last update; 0 for a task that is not there."""
        entry = self._entries.get(task_id)
        return entry.tape.head if entry is not None else 0

    def release(self, task_id: str) -> None:
        """Nobody awaits the task any longer."""
        self._awaited.pop(task_id, None)

    async def publish(self, task_id: str, event: VersionedEvent) -> None:
        """Puts an answer without a task on its tape; `save` has done all others."""
        tape = self._awaited.pop(task_id, None)
        if tape is not None and isinstance(event.event, Message):
            tape.add(event.event)
            tape.end()

    def subscribe(
        self, task_id: str, *, after: TaskVersion
    ) -> AsyncGenerator[VersionedEvent, None]:
        raise NotImplementedError("there is one process: handler.py reads the tapes")

    async def destroy(self, task_id: str) -> None:
        """Nothing to release: `evict` does that, later."""

    def overdue(self) -> Sequence[str]:
        """The tasks that have waited for an answer for too long, or are too many."""
        oldest_at = self._now() - self._limits.age_s
        too_many = len(self._waiting) - self._limits.tasks
        found: list[str] = []
        for task_id, entry in self._waiting.items():
            if len(found) >= too_many and entry.changed_at >= oldest_at:
                break
            found.append(task_id)
        return found

    async def evict(self) -> None:
        """Forgets the tasks that have been over for too long, or are too many.

        Where all tapes together are too long, the oldest of such tasks lose theirs.
        """
        oldest_at = self._now() - self._limits.age_s
        while self._over:
            task_id, entry = next(iter(self._over.items()))
            if len(self._over) <= self._limits.tasks and entry.changed_at >= oldest_at:
                break
            await self.delete(task_id, entry.owner)
        while self._replayable and self._tapes_bytes > self._limits.tapes_bytes:
            tape = self._replayable.pop(next(iter(self._replayable))).tape
            self._tapes_bytes -= tape.bytes
            tape.wipe()

    def close(self) -> None:
        """Lets every reader of a tape end."""
        for entry in self._entries.values():
            entry.tape.end()
        for tape in self._awaited.values():
            tape.end()

    def _enter(self, task_id: str, context: ServerCallContext) -> Entry:
        tape = self._awaited.pop(task_id, None) or self._new_tape()
        # The caller's context holds the whole request; whose it is is enough.
        owner = ServerCallContext(user=context.user, tenant=context.tenant)
        entry = self._entries[task_id] = Entry(owner, tape)
        return entry

    def _file(self, task: Task, entry: Entry) -> None:
        entry.version += 1
        entry.state = task.status.state
        entry.changed_at = self._now()
        self._waiting.pop(task.id, None)
        if entry.state in INTERRUPTED_TASK_STATES:
            self._waiting[task.id] = entry
        elif entry.state in TERMINAL_TASK_STATES:
            self._over[task.id] = self._replayable[task.id] = entry

    def _shorten(self, task: Task) -> None:
        """Leaves what was asked first and the newest: all of it is copied each time."""
        if len(task.history) > self._limits.history:
            del task.history[1 : -(self._limits.history // 2)]

    def _new_tape(self) -> Tape:
        return Tape(self._limits.tape_updates, self._limits.tape_bytes)


def _update_in(event: Event | None, before: TaskState) -> Numbered | None:
    """What of a saved event is streamed to those who follow the task.

    A Task that is saved again in the same state brings a person's message, which is
    for the history; the SDK does not stream it either.
    """
    if isinstance(event, Task) and event.status.state == before:
        return None
    return None if isinstance(event, Message) else event
