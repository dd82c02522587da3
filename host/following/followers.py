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
from ..merging.agent_row import AgentRow
from ..model.debug_state import TaskState
from ..observability.logfmt import Line
from ..protocol.a2a_objects import ListedTask
from ..protocol.artifact_record import RecordMemory
from ..protocol.task_status import is_terminal
from .follow_limit import FollowLimit
from .follower import Follower
from .listed_rows import MAX_LISTED, ListedRows

logger = logging.getLogger("courtside.followers")

CHECK_S = 5.0
# A listed task may be the one that a message has just started.
MAX_WAIT_FOR_RESPONSE_S = 2.0


class Followers:
    """Belongs to one connection. The followers run in the task group `group`.

    `limit` decides which tasks are followed if there are too many. `wants` returns
    whether to follow a listed task. Without it, all are followed.
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
        limit: FollowLimit,
        wants: Callable[[str], bool] | None,
        after_quiet: Callable[[], None] | None = None,
    ) -> None:
        self._connection = connection
        self._feed = feed
        self._agent_row = agent_row
        self._group = group
        self._away_reason = away_reason
        self._stalled_after_s = stalled_after_s
        self._limit = limit
        self._wants = wants
        self._after_quiet = after_quiet
        self._memory = RecordMemory()
        self._by_task: dict[str, Follower] = {}
        self._starting: set[str] = set()
        self._scopes: dict[str, anyio.CancelScope] = {}
        self._listed_rows = ListedRows(
            agent_row.name,
            feed,
            is_followed=self._is_followed,
            max_open=limit.max_tasks + MAX_LISTED,
        )
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

    def start(self) -> None:
        """Follow the tasks that the feed has as open, up to the limit."""
        rows = self._feed.board.open_tasks(self._agent_row.name)
        for task_id in self._limit.choose(rows):
            self._follow(task_id)
        self._group.start_soon(self._check)
        self._group.start_soon(self._listed_rows.run)

    @property
    def trouble(self) -> str | None:
        """What the limit of followed tasks does, if it is reached."""
        return self._limit.describe(self._listed_rows.left_out_at)

    def follow(self, task_id: str, parent_task_id: str | None = None) -> None:
        """Follow a task that somebody asked for, if it is not followed yet."""
        self._ask(task_id)
        if follower := self._by_task.get(task_id):
            follower.set_links(parent_task_id)
        else:
            self._follow(task_id, parent_task_id)

    def take_listed(self, task: ListedTask) -> bool:
        """Take a task that the agent lists. Return whether it is new."""
        if self._wants and not self._wants(task.task_id):
            return False
        if follower := self._by_task.get(task.task_id):
            follower.take_listed(task)
            return False
        if self._unanswered:
            self._group.start_soon(self._take_after_responses, task)
            return True
        return self._admit(task)

    def give_up(self, task: ListedTask) -> None:
        """Write the row of a task that only the list has."""
        self._listed_rows.give_up(task)

    def skips(self, task: ListedTask) -> bool:
        """Return whether a listed task stays out of the feed."""
        if self._wants and not self._wants(task.task_id):
            return True
        is_taken = self._is_followed(task.task_id) or self._listed_rows.has(
            task.task_id
        )
        return not (is_taken or self._unanswered or is_terminal(task.state))

    def _admit(self, task: ListedTask) -> bool:
        """Follow a task if the limit allows it, or else write its row from the list."""
        if self._is_followed(task.task_id):
            return False
        if not self._limit.has_room(self._count, is_terminal(task.state)):
            older = self._limit.find_older(task, self._replaceable)
            if older is None:
                return self._listed_rows.take(task)
            self._scopes[older].cancel()
        self._follow(task.task_id)
        return True

    def _ask(self, task_id: str) -> None:
        """Take note that somebody asked for the task. It may replace the oldest."""
        self._limit.ask(task_id)
        if self._is_followed(task_id) or self._limit.has_room(self._count):
            return
        if oldest := self._limit.find_oldest(self._replaceable):
            self._scopes[oldest].cancel()

    @property
    def _count(self) -> int:
        return len(self._by_task) + len(self._starting)

    @property
    def _replaceable(self) -> Iterator[tuple[str, str | None]]:
        for task_id, follower in self._by_task.items():
            # One that was replaced may still have a stream to close.
            if not (follower.has_response or self._scopes[task_id].cancel_called):
                yield task_id, follower.at

    def _follow(self, task_id: str, parent_task_id: str | None = None) -> None:
        self._starting.add(task_id)
        self._group.start_soon(self.run, task_id, None, parent_task_id)

    def _is_followed(self, task_id: str) -> bool:
        return task_id in self._by_task or task_id in self._starting

    async def run(
        self,
        task_id: str,
        response: AsyncGenerator[Batch] | None = None,
        parent_task_id: str | None = None,
        continues: str | None = None,
    ) -> None:
        """Follow the task to its end, by the `response` to its message if given."""
        self._starting.discard(task_id)
        if task_id in self._by_task:
            return
        if response:
            self._ask(task_id)
        follower = Follower(
            task_id,
            self._connection,
            self._feed,
            self._agent_row,
            self._away_reason,
            stalled_after_s=self._stalled_after_s,
            memory=self._memory,
        )
        self._by_task[task_id] = follower
        follower.news.after_quiet = self._after_quiet
        follower.set_links(parent_task_id, continues)
        try:
            with anyio.CancelScope() as self._scopes[task_id]:
                await follower.run(response)
        except Exception:
            # An error with one task must not end the agent's other tasks.
            logger.exception(
                Line(task=f"{self._agent_row.name}/{task_id}", following="failed")
            )
        finally:
            follower.release()
            del self._by_task[task_id], self._scopes[task_id]

    async def _check(self) -> None:
        """Check each task that has been quiet for long, again and again."""
        while True:
            await anyio.sleep(CHECK_S)
            await self._agent_row.clear_old_trouble()
            await self._agent_row.set_lint(self._connection.lint)
            if slowness := self._connection.budget.take_report():
                await self._agent_row.report_trouble(slowness)
            if trouble := self._feed.budget(self._agent_row.name).trouble:
                await self._agent_row.report_trouble(trouble)
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

    async def _take_after_responses(self, task: ListedTask) -> None:
        with anyio.move_on_after(MAX_WAIT_FOR_RESPONSE_S):
            await self._answered.wait()
        self._admit(task)
