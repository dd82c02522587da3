"""Decides which tasks of an agent are followed when it has too many.

The tasks that somebody asked for go first, then the newest ones.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable

from ..discovery.token_bucket import TokenBucket
from ..model.event import TaskEvent
from ..protocol.a2a_objects import ListedTask
from ..protocol.task_status import is_terminal

MAX_ASKED = 500  # Remembered; the latest ones.
MAX_ENDING = 50  # Finished tasks over the limit, which are read once.
REPLACED_PER_S, REPLACED_BURST = 2.0, 50  # Opening a stream takes some 5 ms.
TROUBLE_S = 60.0  # The row says so for so long after the limit was last in the way.


class FollowLimit:
    """Belongs to one agent, and outlasts its connections. `max_tasks` is the limit."""

    def __init__(self, max_tasks: int) -> None:
        self.max_tasks = max_tasks
        self._asked: OrderedDict[str, None] = OrderedDict()
        self._replacements = TokenBucket(REPLACED_PER_S, REPLACED_BURST)
        self._reached_at: float | None = None

    def ask(self, task_id: str) -> None:
        """Take note that somebody asked for the task: started or opened it, replied."""
        self._asked[task_id] = None
        self._asked.move_to_end(task_id)
        if len(self._asked) > MAX_ASKED:
            self._asked.popitem(last=False)

    def choose(self, rows: Iterable[TaskEvent]) -> list[str]:
        """Return the ids of the open tasks to follow."""

        def rank(row: TaskEvent) -> tuple[bool, str]:
            return row.task_id in self._asked, row.at or ""

        ranked = sorted(rows, key=rank, reverse=True)
        if len(ranked) > self.max_tasks:
            self._note_reached()
        return [row.task_id for row in ranked[: self.max_tasks]]

    def has_room(self, count: int, is_ending: bool = False) -> bool:
        """Return whether to follow a task beside `count` others."""
        extra = MAX_ENDING if is_ending else 0
        if count < self.max_tasks + extra:
            return True
        self._note_reached()
        return False

    def find_older(
        self, task: ListedTask, followed: Iterable[tuple[str, str | None]]
    ) -> str | None:
        """Return the followed task that a newer task replaces, if there is one.

        `followed` has ids, and the times of the last status.
        """
        if not task.timestamp or is_terminal(task.state):
            return None
        if not self._replacements.take():
            return None
        newest = task.timestamp
        return self.find_oldest((one, at) for one, at in followed if at and at < newest)

    def find_oldest(self, followed: Iterable[tuple[str, str | None]]) -> str | None:
        """Return the oldest of these tasks that nobody asked for."""
        others = [(at or "", one) for one, at in followed if one not in self._asked]
        return min(others, default=("", None))[1]

    def _note_reached(self) -> None:
        self._reached_at = time.monotonic()

    def describe(self, left_out_at: float | None) -> str | None:
        """Return what the limit does now. `left_out_at`: when a task was not shown."""
        if not _is_recent(self._reached_at):
            return None
        rest = "shows the others as ListTasks has them"
        if _is_recent(left_out_at):
            rest = "shows some others as ListTasks has them, and leaves out the rest"
        return (
            f"over {self.max_tasks:,} of its tasks are open: the host follows the "
            f"newest and those that you use, and {rest}. End old tasks, or raise "
            "max_tasks"
        )


def _is_recent(at_s: float | None) -> bool:
    return at_s is not None and time.monotonic() - at_s < TROUBLE_S
