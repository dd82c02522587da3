"""An agent that lists tasks by a script, and a discovery that searches it.

The feed is real, on a memory log. The connection is fake.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import anyio

from host.clients.bindings.types import Page, Query
from host.clients.connection import Connection
from host.clients.task_list import ListTasksFailed
from host.clients.throttle import Throttle
from host.discovery.discovery import Discovery
from host.discovery.polling_pace import PollingPace
from host.errors import AgentUnreachable
from host.feed.feed import Feed
from host.log.contract import Entry
from host.log.memory_log import MemoryLog
from host.model.event import AgentEvent, TaskEvent
from host.protocol.a2a_objects import ListedTask

DONE, WORKING = "TASK_STATE_COMPLETED", "TASK_STATE_WORKING"


def format_timestamp(second: int) -> str:
    return f"2026-11-23T12:{second // 60:02}:{second % 60:02}.000Z"


def listed(name: str, second: int | None, state: str = DONE) -> ListedTask:
    return ListedTask(name, state, None if second is None else format_timestamp(second))


class Agent:
    """Lists `tasks` by the A2A specification: filtered, newest first, in pages."""

    can_list = True

    def __init__(self, *tasks: ListedTask) -> None:
        self.tasks = list(tasks)
        self.queries: list[Query] = []
        self.throttle = Throttle("carly")
        self.list_failure: str | None = None
        self.list_trouble: str | None = None
        self.failing: ListTasksFailed | None = None
        self.fail_next = 0
        self.before_page: Callable[[], None] = lambda: None
        """Called before each page after the first."""
        self.lost_at: int | None = None
        """The number of the query at which the connection breaks."""
        self.card_failure: AgentUnreachable | None = None
        self.card_reads = 0
        self.has_new_card = False
        self.is_lost = False
        self.is_silent = False
        self.is_endless = False
        self.makes_up_tasks = False
        self.has_filters = True
        self._spoke = anyio.Event()

    def speak(self) -> None:
        """Answer the calls that wait because of `is_silent`."""
        self.is_silent = False
        self._spoke.set()

    async def list_tasks(self, query: Query) -> Page:
        self.queries.append(query)
        if self.failing:
            raise self.failing
        if self.fail_next:
            self.fail_next -= 1
            raise ListTasksFailed("out of memory")
        if self.is_silent:
            await self._spoke.wait()
        if self.makes_up_tasks:
            number = len(self.queries)
            made_up = [listed(f"{number}-{n}", number, WORKING) for n in range(50)]
            return Page(made_up, str(number))
        if self.is_lost or len(self.queries) == self.lost_at:
            raise lost_error(ListTasksFailed)
        if query.page_token:
            self.before_page()
        tasks = sorted(self.tasks, key=lambda t: t.timestamp or "", reverse=True)
        if self.has_filters:
            tasks = [task for task in tasks if _passes(task, query)]
        start = int(query.page_token or 0)
        page = tasks[start : start + query.page_size]
        end = start + query.page_size
        more = str(end) if end < len(tasks) else "0" if self.is_endless else None
        return Page(page, more)

    async def has_card_changed(self) -> bool:
        self.card_reads += 1
        if self.is_lost:
            raise lost_error(AgentUnreachable)
        if self.card_failure:
            raise self.card_failure
        return self.has_new_card


def lost_error(kind: type[AgentUnreachable]) -> AgentUnreachable:
    error = kind("connection refused")
    error.is_absent = True
    return error


def _passes(task: ListedTask, query: Query) -> bool:
    late = query.since is None or (task.timestamp or "") >= query.since
    return late and query.status in (None, task.state)


@asynccontextmanager
async def feed_with(*tasks: ListedTask) -> AsyncIterator[Feed]:
    """Run a feed that has these tasks of the agent carly."""
    feed = Feed(MemoryLog())
    await feed.open()
    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        for task in tasks:
            await write(feed, task)
        yield feed
        feed.close()


async def write(feed: Feed, task: ListedTask) -> None:
    await feed.append(entries_of(task))


def entries_of(task: ListedTask, version: int = 1) -> list[Entry]:
    """Build the row of a task."""
    row = TaskEvent(
        agent="carly",
        task_id=task.task_id,
        context_id=None,
        status="completed" if task.state == DONE else "running",
        state=task.state,
        progress=None,
        message=None,
        at=task.timestamp,
        received_at=format_timestamp(0),
    )
    return [Entry.of(f"carly/{task.task_id}", version, row)]


class Search:
    """A discovery and the tasks that it found. It takes each task once.

    Its followers write each found task into the feed, unless `writes` is False. With
    `saves`, the agent's row says until when all tasks are found.
    """

    def __init__(self, feed: Feed, *, writes: bool = True, saves: bool = False) -> None:
        self.found: list[str] = []
        self.tries: Counter[str] = Counter()
        self.written: dict[str, str] = {}
        self.versions: Counter[str] = Counter()
        self.given_up: list[str] = []
        self.reports: list[str | None] = []
        self.writes = writes
        self.saves = saves
        self._feed = feed
        pace = PollingPace(0.001, 60, lambda: True)
        self.discovery = Discovery(
            "carly",
            feed,
            self._follow,
            pace=pace,
            report=self._report,
            give_up=lambda task: self.given_up.append(task.task_id),
        )

    async def _report(self, connection: Connection) -> None:
        if self.reports[-1:] != [connection.list_failure]:
            self.reports.append(connection.list_failure)
        if self.saves:
            await self._save()

    async def _save(self) -> None:
        mark = self.discovery.mark
        if not mark.until:
            return
        row = AgentEvent(
            agent="carly",
            url="http://carly",
            connection="connected",
            found_from=mark.horizon or "",
            found_until=mark.until,
            received_at=format_timestamp(0),
        )
        version = await self._feed.high_water("carly") + 1
        await self._feed.append([Entry.of("carly", version, row)])

    def _follow(self, task: ListedTask) -> bool:
        self.tries[task.task_id] += 1
        is_new = task.task_id not in self.found
        if is_new:
            self.found.append(task.task_id)
        if self.writes and self.written.get(task.task_id) != task.state:
            self.written[task.task_id] = task.state
            self.versions[task.task_id] += 1
            self._feed.submit(entries_of(task, self.versions[task.task_id]))
        return is_new

    async def run(self, agent: Agent) -> None:
        with anyio.fail_after(30):
            await self.discovery.run(cast(Connection, agent))

    async def until(
        self,
        agent: Agent,
        is_true: Callable[[], bool],
        then: Callable[[], None] | None = None,
    ) -> None:
        """Poll `agent` until the condition is true. Then call `then`, if given."""
        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                connection = cast(Connection, agent)
                group.start_soon(self.discovery.run, connection)
                while not is_true():
                    await anyio.sleep(0.001)
                if then:
                    then()
                group.cancel_scope.cancel()
