"""Runs the followers of one agent's tasks: one for each task."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager

import anyio
from anyio.abc import TaskGroup

from ..clients.bindings.types import Batch
from ..clients.connection import Connection
from ..feed.feed import Feed
from ..model.debug_state import TaskState
from ..observability.logfmt import Line
from ..protocol.a2a_objects import ListedTask
from .agent_row import AgentRow
from .follower import Follower

logger = logging.getLogger("courtside.followers")

CHECK_S = 5.0
# A listed task may be the one that a message has just started.
MAX_WAIT_FOR_RESPONSE_S = 2.0


class Followers:
    """Belongs to one connection. The followers run in the task group `group`.

    `wants` returns whether to follow a listed task. Without it, all are followed.
    `after_quiet` is called when a quiet task has news.
    """

    def __init__(
        self,
        connection: Connection,
        feed: Feed,
        agent_row: AgentRow,
        *,
        group: TaskGroup,
        away_reason: str,
        stalled_after_s: float,
        wants: Callable[[str], bool] | None,
        after_quiet: Callable[[], None] | None = None,
    ) -> None:
        self._connection = connection
        self._feed = feed
        self._agent_row = agent_row
        self._group = group
        self._away_reason = away_reason
        self._stalled_after_s = stalled_after_s
        self._wants = wants
        self._after_quiet = after_quiet
        self._by_task: dict[str, Follower] = {}
        self._unanswered = 0
        self._answered = anyio.Event()

    @property
    def is_quiet(self) -> bool:
        """Whether no task had news lately."""
        return all(follower.news.is_quiet for follower in self._by_task.values())

    @property
    def states(self) -> list[TaskState]:
        return [follower.state for follower in self._by_task.values()]

    def get(self, task_id: str) -> Follower | None:
        return self._by_task.get(task_id)

    def follow_open_tasks(self) -> None:
        """Follow the tasks that the feed has as open."""
        for row in self._feed.board.open_tasks(self._agent_row.name):
            self.follow(row.task_id)

    def follow(self, task_id: str, parent_task_id: str | None = None) -> bool:
        """Follow the task, if it is not followed yet. Return whether that is new."""
        if follower := self._by_task.get(task_id):
            follower.set_links(parent_task_id)
            return False
        self._group.start_soon(self.run, task_id, None, parent_task_id)
        return True

    def take_listed(self, task: ListedTask) -> bool:
        """Follow a task that the agent lists. Return whether that is new."""
        if self._wants and not self._wants(task.task_id):
            return False
        if follower := self._by_task.get(task.task_id):
            follower.take_listed(task)
            return False
        if not self._unanswered:
            return self.follow(task.task_id)
        self._group.start_soon(self._follow_after_responses, task.task_id)
        return True

    def skips(self, task: ListedTask) -> bool:
        """Return whether a listed task stays out of the feed."""
        return self._wants is not None and not self._wants(task.task_id)

    async def run(
        self,
        task_id: str,
        response: AsyncGenerator[Batch] | None = None,
        parent_task_id: str | None = None,
        continues: str | None = None,
    ) -> None:
        """Follow the task to its end, by the `response` to its message if given."""
        if task_id in self._by_task:
            return
        follower = Follower(
            task_id,
            self._connection,
            self._feed,
            self._agent_row,
            self._away_reason,
            stalled_after_s=self._stalled_after_s,
        )
        self._by_task[task_id] = follower
        follower.news.after_quiet = self._after_quiet
        follower.set_links(parent_task_id, continues)
        try:
            await follower.run(response)
        except Exception:
            # An error with one task must not end the agent's other tasks.
            logger.exception(
                Line(task=f"{self._agent_row.name}/{task_id}", following="failed")
            )
        finally:
            del self._by_task[task_id]

    async def check(self) -> None:
        """Check each task that has been quiet for long, again and again."""
        while True:
            await anyio.sleep(CHECK_S)
            await self._agent_row.clear_old_trouble()
            await self._agent_row.set_lint(self._connection.lint)
            if slowness := self._connection.budget.take_report():
                await self._agent_row.report_trouble(slowness)
            for follower in self._by_task.values():
                follower.check_quiet()
                follower.check_stalled()

    # A task that is found before the response to its message begins.

    @contextmanager
    def expecting(self) -> Iterator[None]:
        """Hold back listed tasks until the response to a message has begun.

        A subscription to the task would carry a part of the response.
        """
        self._unanswered += 1
        try:
            yield
        finally:
            self._unanswered -= 1
            if not self._unanswered:
                self._answered.set()
                self._answered = anyio.Event()

    async def _follow_after_responses(self, task_id: str) -> None:
        with anyio.move_on_after(MAX_WAIT_FOR_RESPONSE_S):
            await self._answered.wait()
        self.follow(task_id)
