"""The state of a manager: the agents' rows, and its tasks with their updates."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import anyio
import msgspec
from msgspec import Struct

from ..errors import CourtsideError
from ..model.event import TERMINAL, WAITING, AgentEvent, decode
from .errors import UnknownTask

Update = dict[str, Any]

MAX_HOLD_S = 2.0


class Key(NamedTuple):
    """An agent, and the id of its task, or of a Message that it sent without a task."""

    agent: str
    id: str


@dataclass
class StartedTask:
    """A task of this manager, as of its last update. `asks` ends with our reply.

    `continued_by` is the task with which the agent answered a reply to this one.
    """

    key: Key
    is_message: bool
    context_id: str | None = None
    status: str | None = None
    asks: bool = False
    continued_by: Key | None = None

    @property
    def has_ended(self) -> bool:
        return self.status in TERMINAL or self.continued_by is not None

    @property
    def is_waiting(self) -> bool:
        return self.status in WAITING and self.continued_by is None


class _Event(Struct):
    """The fields of an event that tell which task it belongs to."""

    kind: str
    agent: str
    task_id: str | None = None
    message_id: str | None = None
    context_id: str | None = None
    status: str | None = None
    continues: str | None = None
    continued_by: str | None = None

    @property
    def key(self) -> Key:
        own_id = self.message_id if self.kind == "message" else self.task_id
        return Key(self.agent, own_id or "")


class TaskTable:
    """Call `add_event` in the feed's order; `stream` yields the updates of our tasks.

    An event can arrive before the agent's response says whose task it is. Then this
    event and all later ones wait for the response, so every stream keeps the feed's
    order. If an agent needs more than MAX_HOLD_S, only its own events wait longer. If
    they are ours, they come late.
    """

    def __init__(self) -> None:
        self.agents: dict[str, AgentEvent] = {}
        self.tasks: dict[Key, StartedTask] = {}
        self.pending_starts = 0
        self.is_ready = False
        self.failure: CourtsideError | None = None
        self.changed = anyio.Event()  # Set, and replaced, at each change.
        self._updates: list[tuple[Key, bytes]] = []
        self._held: deque[tuple[_Event, bytes]] = deque()
        self._held_for_slow: list[tuple[_Event, bytes]] = []
        self._requests: Counter[str] = Counter()  # Without a response yet, by agent.
        self._slow: set[str] = set()

    def notify(self) -> None:
        self.changed.set()
        self.changed = anyio.Event()

    def add_event(self, body: bytes) -> None:
        """Add an event from its JSON with its id."""
        event = _decoder.decode(body)
        if event.kind == "agent":
            row = decode(body)
            if isinstance(row, AgentEvent):
                self.set_agent(row)
                self.notify()
        else:
            self._held.append((event, body))
            self._release()

    def find(self, task_id: str, agent: str | None = None) -> StartedTask:
        """Return a task of this manager. Raises UnknownTask."""
        found = [
            task
            for key, task in self.tasks.items()
            if key.id == task_id and agent in (None, key.agent)
        ]
        if len(found) == 1:
            return found[0]
        if found:
            names = " or ".join(f"agent={task.key.agent!r}" for task in found)
            raise UnknownTask(f"several agents have a task {task_id!r}: pass {names}")
        known = ", ".join(key.id for key in self.tasks) or "none"
        raise UnknownTask(f"no task {task_id!r} was started here; there are: {known}")

    def find_newest(self, task_id: str, agent: str | None = None) -> StartedTask:
        """Return the task, or the newest task that continues it. Raises UnknownTask."""
        return self.chain(self.find(task_id, agent).key)[-1]

    def set_agent(self, row: AgentEvent) -> None:
        if row.connection == "removed":
            self.agents.pop(row.agent, None)
        else:
            self.agents[row.agent] = row

    def set_ready(self) -> None:
        self.is_ready = True
        self.notify()

    def fail(self, error: CourtsideError) -> None:
        """End all streams: nothing more will come. The first error counts."""
        self.failure = self.failure or error
        self.notify()

    @contextmanager
    def expect_response(self, agent: str) -> Iterator[None]:
        """Hold back the agent's events while a request to it has no response."""
        self._requests[agent] += 1
        loop = asyncio.get_running_loop()
        timer = loop.call_later(MAX_HOLD_S, self._mark_slow, agent)
        try:
            yield
        finally:
            timer.cancel()
            self._requests[agent] -= 1
            if not self._requests[agent]:
                self._slow.discard(agent)
            held, self._held_for_slow = self._held_for_slow, []
            self._held.extendleft(reversed(held))
            self._release()

    def add_task(self, key: Key, *, is_message: bool) -> StartedTask:
        return self.tasks.setdefault(key, StartedTask(key, is_message))

    def has_task(self, agent: str, task_id: str) -> bool:
        return Key(agent, task_id) in self.tasks

    def open_tasks(self, key: Key | None = None) -> list[StartedTask]:
        """Return the tasks that have not ended: of all, or of one and its chain."""
        tasks = self.tasks.values() if key is None else self.chain(key)
        return [task for task in tasks if not task.has_ended]

    def chain(self, key: Key) -> list[StartedTask]:
        """Return the task, and then the tasks that continue it."""
        chain = [self.tasks[key]]
        while (after := chain[-1].continued_by) and self.tasks[after] not in chain:
            chain.append(self.tasks[after])
        return chain

    async def stream(self, key: Key | None = None) -> AsyncGenerator[Update]:
        """Yield all updates, or those of one task and of the tasks that continue it,
        until the tasks have ended.

        Raises the error of `fail` if it comes before.
        """
        position = 0
        while True:
            changed = self.changed
            while position < len(self._updates):
                owner, body = self._updates[position]
                position += 1
                if key is None or owner in (task.key for task in self.chain(key)):
                    # Each reader gets its own copy, which it may change.
                    yield msgspec.json.decode(body)
            if not self.open_tasks(key) and not (key is None and self.pending_starts):
                return
            if self.failure:
                raise self.failure
            if changed is self.changed:
                await changed.wait()

    def _mark_slow(self, agent: str) -> None:
        self._slow.add(agent)
        self._release()

    def _release(self) -> None:
        """Keep or drop held events, up to the first whose owner is not known yet."""
        while self._held:
            event, body = self._held[0]
            self._adopt(event)
            if event.key in self.tasks:
                self._keep(event, body)
            elif self._requests[event.agent] and event.agent in self._slow:
                self._held_for_slow.append((event, body))
            elif self._requests[event.agent]:
                return
            self._held.popleft()

    def _adopt(self, event: _Event) -> None:
        """Add a task that continues one of ours."""
        if event.continues and Key(event.agent, event.continues) in self.tasks:
            self.add_task(event.key, is_message=False)

    def _keep(self, event: _Event, body: bytes) -> None:
        task = self.tasks[event.key]
        self._updates.append((event.key, body))
        task.context_id = event.context_id or task.context_id
        if event.kind == "message":
            task.status = "completed"
        elif event.kind == "task":
            task.status = event.status
            if event.continued_by:
                after = Key(event.agent, event.continued_by)
                task.continued_by = self.add_task(after, is_message=False).key
            else:
                task.continued_by = None
            task.asks = task.is_waiting
        self.notify()


_decoder = msgspec.json.Decoder(_Event)
