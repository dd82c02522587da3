"""Finds the tasks of an agent, also tasks of other clients, by polling ListTasks.

The collector follows each task that is found. Polling an idle agent costs one small
request.
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
OPEN_TASKS_S = 15.0
ALL_TASKS_S = 600.0
OVERLAP_S = 2.0  # A task may get its timestamp a moment before it is listed.
AWAY_S = 60.0  # Timestamps on the board come from streams: they are ahead of the list.
MAX_MISSES = 3  # A busy agent may be late; one that refuses connections is lost.
PAGE_SIZE = 50
MAX_SETTLED = 10_000
OPEN_STATES = [state for state in STATUS_OF_STATE if not is_terminal(state)]


class Discovery:
    """Calls `found` with each task to follow, repeatedly while it is open.

    `found` returns whether the task is new. All timestamps are the agent's: `_since`
    is the latest that it has listed, `_horizon` the earliest that counts. A task that
    ended before the horizon is history. Both outlast a connection, so that tasks that
    end while the agent is lost are found later.
    """

    _connection: Connection

    def __init__(
        self, agent: str, feed: Feed, found: Callable[[ListedTask], bool]
    ) -> None:
        self._agent = agent
        self._feed = feed
        self._found = found
        self._settled: dict[str, None] = {}
        self._since: str | None = None
        self._horizon: str | None = None

    async def run(self, connection: Connection) -> None:
        """Poll until the agent's card has changed.

        Raises AgentUnreachable when the agent is lost.
        """
        self._connection = connection
        await self._start()
        misses = 0
        while True:
            await anyio.sleep(self._pause_s())
            try:
                if await self._poll():
                    return
                misses = 0
            except AgentUnreachable as error:
                misses += 1
                if misses == MAX_MISSES or "refused" in str(error):
                    raise

    async def _start(self) -> None:
        now = anyio.current_time()
        self._news_at = self._open_tasks_at = self._all_tasks_at = now
        if not self._connection.can_list:
            return
        if self._since is None:
            self._read_board()
        if self._since:
            await self._list(self._news_query)
        else:
            await self._list_first_page()
        await self._list_open_tasks()

    def _read_board(self) -> None:
        """Continue where the host stopped, as far as its board shows."""
        rows = [row for row in self._feed.board.tasks() if row.agent == self._agent]
        timestamps = sorted(row.at for row in rows if row.at)
        if timestamps:
            still_open = [row.at for row in rows if row.at and row.is_open]
            self._since = subtract_seconds(min([*still_open, timestamps[-1]]), AWAY_S)
            # A row has its task's last timestamp. Other tasks may have ended earlier,
            # and the feed does not have them.
            self._horizon = min(timestamps[0], self._since)

    async def _list_first_page(self) -> None:
        """On first contact, take only the latest finished tasks."""
        page = await self._request_page(Query(page_size=PAGE_SIZE))
        if page.next_token:
            timestamps = [task.timestamp for task in page.tasks if task.timestamp]
            self._horizon = min(timestamps, default=None)
        await self._take(page)

    def _pause_s(self) -> float:
        if not self._connection.can_list:
            return CARD_POLL_S
        is_idle = anyio.current_time() - self._news_at > IDLE_AFTER_S
        return IDLE_POLL_S if is_idle else POLL_S

    async def _poll(self) -> bool:
        """Poll once. Return whether the agent's card has changed."""
        if not self._connection.can_list:
            # Only tasks that pass through this host are followed. Is the agent there?
            return await self._connection.has_card_changed()
        now = anyio.current_time()
        if await self._list(self._news_query, while_new=True):
            self._news_at = now
        if now - self._open_tasks_at < OPEN_TASKS_S:
            return False
        self._open_tasks_at = now
        await self._list_open_tasks()
        # Finds the latest tasks also if the agent's clock was set back.
        await self._list(Query(page_size=PAGE_SIZE), while_new=True)
        if now - self._all_tasks_at > ALL_TASKS_S:
            self._all_tasks_at = now
            await self._list(Query(page_size=PAGE_SIZE), pause_s=POLL_S)
        return await self._connection.has_card_changed()

    @property
    def _news_query(self) -> Query:
        since = self._since and subtract_seconds(self._since, OVERLAP_S)
        return Query(since, page_size=PAGE_SIZE)

    async def _list_open_tasks(self) -> None:
        """Find tasks that have no timestamps, or change without them."""
        for state in OPEN_STATES:
            await self._list(Query(status=state, page_size=PAGE_SIZE))

    async def _list(
        self, query: Query, *, while_new: bool = False, pause_s: float = 0
    ) -> bool:
        """Take the listed tasks, page by page. Return whether any was new."""
        any_new = False
        listed: set[str] = set()
        while True:
            page = await self._request_page(query)
            is_new = await self._take(page)
            any_new |= is_new
            task_ids = {task.task_id for task in page.tasks}
            # Some agents ignore the filter, and some list without end.
            is_unfiltered = query.status is not None and any(
                task.state != query.status for task in page.tasks
            )
            if not page.next_token or is_unfiltered or (while_new and not is_new):
                return any_new
            if task_ids <= listed:
                raise AgentUnreachable(
                    f"bad response: {self._agent} repeats its tasks on every page"
                )
            listed |= task_ids
            query = query._replace(page_token=page.next_token)
            await anyio.sleep(pause_s)

    async def _request_page(self, query: Query) -> Page:
        try:
            return await self._connection.list_tasks(query)
        except A2AError as error:
            raise AgentUnreachable(
                f"{self._agent} refuses ListTasks: {error}"
            ) from error

    async def _take(self, page: Page) -> bool:
        """Follow the tasks of a page. Return whether any was new."""
        wanted = [task for task in page.tasks if await self._is_wanted(task)]
        are_new = [self._found(task) for task in wanted]
        timestamps = [task.timestamp for task in page.tasks if task.timestamp]
        self._since = max([self._since or "", *timestamps]) or None
        return any(are_new)

    async def _is_wanted(self, task: ListedTask) -> bool:
        row = self._feed.board.task(self._agent, task.task_id)
        if row:
            return row.is_open
        if not is_terminal(task.state):
            return True
        if task.task_id in self._settled or self._is_history(task):
            return False
        # The board may have dropped a finished task. The log still has its numbers.
        has_events = await self._feed.high_water(f"{self._agent}/{task.task_id}") > 0
        if has_events:
            self._settled[task.task_id] = None
            if len(self._settled) > MAX_SETTLED:
                del self._settled[next(iter(self._settled))]
        return not has_events

    def _is_history(self, task: ListedTask) -> bool:
        """Return whether the task ended before the host first saw the agent."""
        return self._horizon is not None and (task.timestamp or "") < self._horizon
