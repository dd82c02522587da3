"""Owns the finding of tasks that anyone started: ListTasks, again and again.

Names each task that must be followed to the collector; costs an agent that has
nothing new next to nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio
from a2a.utils.errors import A2AError

from ..clients.bindings.types import Page, Query
from ..clients.connection import Connection
from ..errors import AgentUnreachable
from ..feed.feed import Feed
from ..model.timestamps import subtract_seconds
from ..protocol.a2a_objects import ListedTask
from ..protocol.task_status import STATUS_OF_STATE, is_terminal

POLL_S = 0.25
IDLE_POLL_S = 0.5
IDLE_AFTER_S = 10.0
CARD_POLL_S = 2.0
SWEEP_S = 15.0
FULL_SWEEP_S = 600.0
OVERLAP_S = 2.0
AWAY_S = 60.0  # The board knows stamps of streams, which run ahead of the list.
MAX_MISSES = 3  # A busy agent may be late; one that refuses is gone at once.
PAGE_SIZE = 50
MAX_SETTLED = 10_000
OPEN_STATES = [state for state in STATUS_OF_STATE if not is_terminal(state)]


class Discovery:
    """Calls `found` with the id of each task that must be followed, again while it is
    open; it says whether that was news.

    Time is the agent's own: `since` is the latest stamp that it has listed, `horizon`
    the earliest that the feed has; a task that ended before that is no news. What it
    knows outlives a connection: what ended while the agent was away is wanted, too.
    """

    _connection: Connection

    def __init__(self, agent: str, feed: Feed, found: Callable[[str], bool]) -> None:
        self._agent = agent
        self._feed = feed
        self._found = found
        self._settled: dict[str, None] = {}
        self._since: str | None = None
        self._horizon: str | None = None

    async def run(self, connection: Connection) -> None:
        """Returns when the agent's card has changed.

        Raises AgentUnreachable when the agent is gone.
        """
        self._connection = connection
        await self._begin()
        misses = 0
        while True:
            await anyio.sleep(self._pause_s())
            try:
                if await self._step():
                    return
                misses = 0
            except AgentUnreachable as error:
                misses += 1
                if misses == MAX_MISSES or "refused" in str(error):
                    raise

    async def _begin(self) -> None:
        self._active_at = self._swept_at = self._swept_all_at = anyio.current_time()
        if not self._connection.can_list:
            return
        if self._since is None:
            self._recall()
        if self._since:
            await self._list(self._news)
        else:
            await self._meet()
        await self._sweep_open()

    def _recall(self) -> None:
        """Where a host that ended had come to, as far as its board shows it."""
        rows = [row for row in self._feed.board.tasks() if row.agent == self._agent]
        stamps = sorted(row.at for row in rows if row.at)
        if stamps:
            still_open = [row.at for row in rows if row.at and row.is_open]
            self._since = subtract_seconds(min([*still_open, stamps[-1]]), AWAY_S)
            # A row has its task's last stamp: others may have ended before, unseen.
            self._horizon = min(stamps[0], self._since)

    @property
    def _news(self) -> Query:
        """A stamp may be set a moment before its task can be listed."""
        since = self._since and subtract_seconds(self._since, OVERLAP_S)
        return Query(since, page_size=PAGE_SIZE)

    async def _meet(self) -> None:
        """At the first contact, of what is long over the latest tasks will do."""
        page = await self._page(Query(page_size=PAGE_SIZE))
        if page.next_token:
            stamps = [task.timestamp for task in page.tasks if task.timestamp]
            self._horizon = min(stamps, default=None)
        await self._take(page)

    def _pause_s(self) -> float:
        if not self._connection.can_list:
            return CARD_POLL_S
        idle = anyio.current_time() - self._active_at > IDLE_AFTER_S
        return IDLE_POLL_S if idle else POLL_S

    async def _step(self) -> bool:
        """One look at the agent. Returns whether its card has changed."""
        if not self._connection.can_list:
            # Only what passes through the host is followed; is the agent there?
            return await self._connection.has_card_changed()
        at = anyio.current_time()
        if await self._list(self._news, while_new=True):
            self._active_at = at
        if at - self._swept_at < SWEEP_S:
            return False
        self._swept_at = at
        await self._sweep_open()
        # The latest of all: found even if the agent's clock was set back.
        await self._list(Query(page_size=PAGE_SIZE), while_new=True)
        if at - self._swept_all_at > FULL_SWEEP_S:
            self._swept_all_at = at
            await self._list(Query(page_size=PAGE_SIZE), pause_s=POLL_S)
        return await self._connection.has_card_changed()

    async def _sweep_open(self) -> None:
        """Finds tasks that move without their stamps, or have none."""
        for state in OPEN_STATES:
            await self._list(Query(status=state, page_size=PAGE_SIZE))

    async def _list(
        self, query: Query, *, while_new: bool = False, pause_s: float = 0
    ) -> bool:
        """Takes what the agent lists, page by page. Returns whether any was new."""
        any_new = False
        seen: set[str] = set()
        while True:
            page = await self._page(query)
            new = await self._take(page)
            any_new |= new
            ids = {task.task_id for task in page.tasks}
            # Some agents know no filter, some no end.
            other = any(query.status not in (None, task.state) for task in page.tasks)
            if not page.next_token or other or (while_new and not new):
                return any_new
            if ids <= seen:
                raise AgentUnreachable(
                    f"bad answer: {self._agent} lists the same tasks again on each page"
                )
            seen |= ids
            query = query._replace(page_token=page.next_token)
            await anyio.sleep(pause_s)

    async def _page(self, query: Query) -> Page:
        try:
            return await self._connection.list_tasks(query)
        except A2AError as error:
            name = self._agent
            raise AgentUnreachable(f"{name} refuses ListTasks: {error}") from error

    async def _take(self, page: Page) -> bool:
        wanted = [task for task in page.tasks if await self._is_wanted(task)]
        news = [self._found(task.task_id) for task in wanted]
        stamps = [task.timestamp for task in page.tasks if task.timestamp]
        self._since = max([self._since or "", *stamps]) or None
        return any(news)

    async def _is_wanted(self, task: ListedTask) -> bool:
        row = self._feed.board.task(self._agent, task.task_id)
        if row:
            return row.is_open
        if not is_terminal(task.state):
            return True
        if task.task_id in self._settled or self._is_history(task):
            return False
        # Told once is enough: the board may have let go of it, the log has not.
        told = await self._feed.high_water(f"{self._agent}/{task.task_id}") > 0
        if told:
            self._settled[task.task_id] = None
            if len(self._settled) > MAX_SETTLED:
                del self._settled[next(iter(self._settled))]
        return not told

    def _is_history(self, task: ListedTask) -> bool:
        """Whether the task ended before the host came to know its agent."""
        return self._horizon is not None and (task.timestamp or "") < self._horizon
