"""Writes the rows of tasks that are not followed, as the agent lists them.

They are tasks over the limit of followed tasks, and tasks that ListTasks has but
GetTask does not know. Nothing is read for them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import cast

import anyio

from ..feed.feed import Feed
from ..log.contract import Entry
from ..model.event import Event
from ..model.timestamps import now
from ..protocol.a2a_objects import ListedTask, State, Status
from ..protocol.event_builders import build_row
from ..protocol.gaps import build_gap
from ..protocol.task_record import TaskRecord
from ..protocol.task_status import is_terminal

MAX_LISTED = 2_000  # Open tasks of one agent over the limit of followed ones.
COUNT_EVERY_S = 1.0
UNKNOWN = (
    "the task is in ListTasks, but GetTask does not know it: all but its state is "
    "missing"
)


class ListedRows:
    """Belongs to one connection. `run` writes what `take` and `give_up` get.

    `is_followed` returns whether the task has a follower, which writes its rows. The
    feed has at most `max_open` open tasks of the agent by this way.
    """

    def __init__(
        self,
        agent: str,
        feed: Feed,
        *,
        is_followed: Callable[[str], bool],
        max_open: int,
    ) -> None:
        self._agent = agent
        self._feed = feed
        self._is_followed = is_followed
        self._max_open = max_open
        self._waiting: dict[str, tuple[ListedTask, str | None]] = {}
        self._arrived = anyio.Event()
        self._open_count = 0
        self._counted_at = 0.0
        self.left_out_at: float | None = None
        """When a task last stayed out of the feed."""

    def has(self, task_id: str) -> bool:
        """Return whether the row of the task is about to be written."""
        return task_id in self._waiting

    def take(self, task: ListedTask) -> bool:
        """Write the row of an open task, if that is new. Return whether it is."""
        row = self._feed.board.task(self._agent, task.task_id)
        if is_terminal(task.state) or self.has(task.task_id):
            return False  # A finished task is read, as soon as there is room.
        if row is None and self._count() >= self._max_open:
            self.left_out_at = time.monotonic()
            return False
        if row is None or (row.is_open and row.state != task.state):
            self._open_count += row is None
            self._add(task, None)
        return row is None

    def give_up(self, task: ListedTask) -> None:
        """Write the row of a task that only the list has."""
        if not self.has(task.task_id):
            self._add(task, UNKNOWN)

    def _add(self, task: ListedTask, gap_reason: str | None) -> None:
        self._waiting[task.task_id] = task, gap_reason
        self._arrived.set()

    def _count(self) -> int:
        """Return the number of open tasks, which is counted now and then."""
        if time.monotonic() - self._counted_at > COUNT_EVERY_S:
            self._counted_at = time.monotonic()
            agents = (agent for agent, _ in self._feed.board.open)
            self._open_count = sum(agent == self._agent for agent in agents)
            self._open_count += len(self._waiting)
        return self._open_count

    async def run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived = anyio.Event()
            batch = list(self._waiting.values())
            for task, gap_reason in batch:
                await self._write(task, gap_reason)
            await self._feed.append(())  # Batches commit in order.
            for task, _ in batch:
                del self._waiting[task.task_id]

    async def _write(self, task: ListedTask, gap_reason: str | None) -> None:
        source = f"{self._agent}/{task.task_id}"
        version = await self._feed.high_water(source)
        if self._is_followed(task.task_id) or (gap_reason and version):
            return
        self._feed.submit(
            [
                Entry.of(source, version + number, event)
                for number, event in enumerate(self._build(task, gap_reason), 1)
            ]
        )

    def _build(self, task: ListedTask, gap_reason: str | None) -> list[Event]:
        before = self._feed.board.task(self._agent, task.task_id)
        record = TaskRecord(self._agent, task.task_id, before)
        status = Status(cast("State", task.state), timestamp=task.timestamp)
        row = build_row(record, status, context_id="", metadata={}, received_at=now())
        return [build_gap(record, gap_reason, now()), row] if gap_reason else [row]
