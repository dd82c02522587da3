"""Decides which of the listed tasks are followed: those whose end is not in the log."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

from ..clients.bindings.types import Page
from ..feed.feed import Feed
from ..merging.reused_ids import may_be_other_task
from ..protocol.a2a_objects import ListedTask
from ..protocol.task_status import is_terminal
from .found_tasks import FoundTasks
from .list_mark import ListMark
from .token_bucket import TokenBucket

MAX_SETTLED = 10_000
# Tasks of one agent to follow. The others stay in the list until then.
STARTS_PER_S, START_BURST = 100.0, 1_000


class Verdict(Enum):
    """What the log has of a listed task."""

    SETTLED = auto()
    """All of it, or it is history."""
    OPEN = auto()
    """Its row, which is open, as the task is in the list."""
    MISSING = auto()
    """Nothing yet, or not its end."""


class Taken(NamedTuple):
    """What one page had: anything new, and the tasks that are not in the log yet.

    `is_late`: a new task should have been listed before, by its timestamp.
    """

    is_new: bool
    missing: list[ListedTask]
    is_late: bool


class ListedTasks:
    """Calls `follow` with each task to follow, repeatedly while it is open.

    `follow` returns whether that is new. `skips` returns whether a task stays out of
    the feed. `give_up` gets a task that left no trace in the feed, again and again.
    """

    def __init__(
        self,
        agent: str,
        feed: Feed,
        mark: ListMark,
        *,
        follow: Callable[[ListedTask], bool],
        skips: Callable[[ListedTask], bool],
        give_up: Callable[[ListedTask], None],
    ) -> None:
        self._agent = agent
        self._feed = feed
        self._mark = mark
        self._follow = follow
        self._skips = skips
        self._give_up = give_up
        self._found = FoundTasks()
        self._starts = TokenBucket(STARTS_PER_S, START_BURST)
        self._settled: dict[str, None] = {}
        self._compared: set[str] = set()
        """Tasks that were read over and over: nothing of them is new."""

    async def take(self, page: Page) -> Taken:
        """Follow the tasks of a page."""
        judged = [(task, await self._judge(task)) for task in page.tasks]
        is_new = is_late = False
        missing: list[ListedTask] = []
        for task, verdict in judged:
            if verdict is not Verdict.MISSING:
                self._found.drop(task.task_id)
            if verdict is Verdict.OPEN:
                self._follow(task)
            if verdict is not Verdict.MISSING:
                continue
            is_due = self._found.note(task) and self._starts.take()
            is_first = is_due and self._try(task)
            if is_due and not is_first and self._skips(task):
                self._found.drop(task.task_id)
                continue
            if self._found.holds(task):
                missing.append(task)
            if is_first:
                is_new = True
                is_late |= self._mark.is_late(task.timestamp)
        return Taken(is_new, missing, is_late)

    def follow_again(self) -> None:
        """Follow the tasks that were found before the connection broke."""
        self._found.forgive()
        self._compared.clear()
        for task in self._found:
            self._try(task)

    def _try(self, task: ListedTask) -> bool:
        """Follow a task. Return whether it is new."""
        if self._found.is_hopeless(task.task_id):
            self._give_up(task)
            if len(self._compared) >= MAX_SETTLED:
                self._compared.clear()
            self._compared.add(task.task_id)
            return False
        is_followed = self._follow(task)
        return is_followed and self._found.note_try(task.task_id) == 1

    async def _judge(self, task: ListedTask) -> Verdict:
        row = self._feed.board.task(self._agent, task.task_id)
        has_ended = is_terminal(task.state)
        if task.task_id in self._compared:
            return Verdict.SETTLED
        if row:
            if not row.is_open:
                is_other = may_be_other_task(row, task)
                return Verdict.MISSING if is_other else Verdict.SETTLED
            return Verdict.MISSING if has_ended else Verdict.OPEN
        if not has_ended:
            return Verdict.MISSING
        if task.task_id in self._settled or self._mark.is_history(task.timestamp):
            return Verdict.SETTLED
        # The board may have dropped a finished task. The log still has its numbers.
        if not await self._feed.high_water(f"{self._agent}/{task.task_id}"):
            return Verdict.MISSING
        self._settled[task.task_id] = None
        if len(self._settled) > MAX_SETTLED:
            del self._settled[next(iter(self._settled))]
        return Verdict.SETTLED
