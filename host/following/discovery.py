"""Finds the tasks of an agent, also those that other clients started: polls ListTasks.

The collector follows each task that is found. `polling_pace` has the pauses, `listing`
the calls. While ListTasks fails, the card shows whether the agent is there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from functools import partial

import anyio

from ..clients.bindings.types import Page, Query
from ..clients.connection import Connection
from ..clients.task_list import ListTasksFailed
from ..clients.throttle import TOO_MANY_REQUESTS
from ..errors import AgentUnreachable
from ..feed.feed import Feed
from ..model.timestamps import subtract_seconds
from ..protocol.a2a_objects import ListedTask
from ..protocol.task_status import STATUS_OF_STATE, is_terminal
from .listing import MAX_PAGES, Listing, endless_news
from .polling_pace import PollingPace

CARD_POLL_S = 2.0
OPEN_TASKS_S = 15.0
ALL_TASKS_S = 600.0
OVERLAP_S = 2.0  # A task may get its timestamp a moment before it is listed.
AWAY_S = 60.0  # Timestamps on the board come from streams: they are ahead of the list.
MAX_MISSES = 3  # A busy agent may be late; one that refuses connections is lost.
PAGE_SIZE = 50
MAX_NEWS_PAGES = 20  # In one poll. An agent may make up new tasks without end.
MAX_UNFILTERED_PAGES = 10  # At first, for the open tasks of an agent without filters.
MAX_SETTLED = 10_000
OPEN_STATES = [state for state in STATUS_OF_STATE if not is_terminal(state)]


class Discovery:
    """Calls `found` with each task to follow, repeatedly while it is open.

    `found` returns whether the task is new. `report` writes how the agent is followed
    into its row. All timestamps are the agent's: `_since` is the latest that it has
    listed, `_horizon` the earliest that counts. A task that ended before the horizon
    is history. Both outlast a connection, so that tasks that end while the agent is
    lost are found later.
    """

    _connection: Connection
    _listing: Listing

    def __init__(
        self,
        agent: str,
        feed: Feed,
        found: Callable[[ListedTask], bool],
        *,
        pace: PollingPace,
        report: Callable[[Connection], Awaitable[None]],
    ) -> None:
        self._agent = agent
        self._feed = feed
        self._found = found
        self._pace = pace
        self._report = report
        self._settled: dict[str, None] = {}
        self._since: str | None = None
        self._horizon: str | None = None
        self._has_card_changed = False
        self._is_unfiltered = False  # Some agents ignore the filters of ListTasks.

    async def run(self, connection: Connection) -> None:
        """Poll until the agent's card has changed.

        Raises AgentUnreachable when the agent is lost.
        """
        self._connection = connection
        self._listing = Listing(connection, self._check_card)
        self._has_card_changed = False
        self._idle_steps = self._iterate_idle_steps()
        self._sweep: Query | None = None
        self._open_tasks_at = self._all_tasks_at = anyio.current_time()
        self._has_listed = False
        self._pace.note_news()
        misses = 0
        with self._feed.audience.call_at_join(self._wake_if_watched):
            while not self._has_card_changed:
                await self._wait_for_throttle()
                try:
                    await self._poll()
                    misses = 0
                except AgentUnreachable as error:
                    if error.agent_status != TOO_MANY_REQUESTS:
                        misses += 1
                        self._pace.note_news()
                    if misses == MAX_MISSES or error.is_absent:
                        raise
                is_urgent = self._listing.is_due or misses
                await self._pace.wait(0 if is_urgent else CARD_POLL_S)

    def _wake_if_watched(self) -> None:
        if self._feed.audience.watches(self._agent):
            self._pace.wake()

    async def _wait_for_throttle(self) -> None:
        """Wait for the end of the pause that the agent asked for, if it did."""
        while self._connection.throttle.remaining_s:
            await self._report(self._connection)
            await self._connection.throttle.wait()
        await self._report(self._connection)

    async def _check_card(self) -> None:
        if await self._connection.has_card_changed():
            self._has_card_changed = True

    # What is listed when.

    async def _poll(self) -> None:
        """Ask the agent for new tasks, or at least for its card."""
        if not self._listing.is_due:
            # Only tasks that pass through this host are followed. Is the agent there?
            return await self._check_card()
        try:
            if self._connection.list_failure or not self._has_listed:
                await self._list_first()
            elif self._pace.is_active:
                await self._list_active()
            else:
                await next(self._idle_steps)()
        except ListTasksFailed as error:
            await self._take_failure(error)
            await self._check_card()

    async def _take_failure(self, error: ListTasksFailed) -> None:
        """Lose only discovery, not the agent."""
        if error.is_absent or error.agent_status == TOO_MANY_REQUESTS:
            raise error
        self._listing.note_failure(error)
        await self._report(self._connection)

    async def _list_first(self) -> None:
        """Find the tasks that there are, in some requests at once."""
        if self._since is None:
            self._read_board()
        is_first_contact = self._since is None
        if is_first_contact:
            await self._list_first_page()
        else:
            await self._list(self._news_query)
        self._has_listed = True
        self._listing.note_success()
        await self._report(self._connection)
        await self._list_open_tasks()
        if self._is_unfiltered and is_first_contact:
            await self._list(Query(page_size=PAGE_SIZE), MAX_UNFILTERED_PAGES)

    async def _list_active(self) -> None:
        """List new tasks, and now and then more. Takes some requests at once."""
        now = anyio.current_time()
        await self._list_news()
        if now - self._open_tasks_at >= OPEN_TASKS_S:
            self._open_tasks_at = now
            await self._list_open_tasks()
            # Finds the latest tasks also if the agent's clock was set back.
            await self._list_page(Query(page_size=PAGE_SIZE))
            await self._check_card()
        if now - self._all_tasks_at >= ALL_TASKS_S:
            self._all_tasks_at = now
            self._sweep = Query(page_size=PAGE_SIZE)
            self._sweep_pages = 0
        if self._sweep:
            await self._continue_sweep(self._sweep)
        self._listing.note_success()

    async def _continue_sweep(self, query: Query) -> None:
        """Read one page more of all tasks: new tasks must not wait for all pages."""
        token = await self._list_page(query)
        self._sweep_pages += 1
        is_over = not token or self._sweep_pages == MAX_PAGES
        self._sweep = None if is_over else query._replace(page_token=token or "")

    def _iterate_idle_steps(self) -> Iterator[Callable[[], Awaitable[object]]]:
        """Iterate over what an idle agent is asked: one request each time."""
        while True:
            for status in (None, *OPEN_STATES):
                query = Query(status=status, page_size=PAGE_SIZE)
                yield self._list_news
                yield self._check_card
                yield self._list_news
                yield partial(self._list_page, query)

    async def _list_news(self) -> None:
        """Take pages with new tasks, up to the first page without one."""
        pages = self._listing.pages(self._news_query, MAX_NEWS_PAGES)
        async with aclosing(pages):
            async for page in pages:
                if not await self._take(page):
                    return
                self._pace.note_news()
                is_last = not page.next_token
        if not is_last:
            raise endless_news(MAX_NEWS_PAGES)

    async def _list_open_tasks(self) -> None:
        """Find tasks that have no timestamps, or change without them."""
        for state in OPEN_STATES:
            await self._list(Query(status=state, page_size=PAGE_SIZE))

    async def _list_first_page(self) -> None:
        """On first contact, take of the finished tasks only the latest."""
        page = await self._listing.request(Query(page_size=PAGE_SIZE))
        if page.next_token:
            timestamps = [task.timestamp for task in page.tasks if task.timestamp]
            self._horizon = min(timestamps, default=None)
        await self._take(page)

    async def _list_page(self, query: Query) -> str | None:
        """Take one page. Return the token of the next."""
        page = await self._listing.request(query)
        if await self._take(page):
            self._pace.note_news()
        return page.next_token

    async def _list(self, query: Query, max_pages: int = MAX_PAGES) -> None:
        """Take the listed tasks, page by page."""
        async with aclosing(self._listing.pages(query, max_pages)) as pages:
            async for page in pages:
                await self._take(page)
                states = {task.state for task in page.tasks}
                if query.status and states - {query.status}:
                    self._is_unfiltered = True
                    return

    @property
    def _news_query(self) -> Query:
        since = self._since and subtract_seconds(self._since, OVERLAP_S)
        return Query(since, page_size=PAGE_SIZE)

    def _read_board(self) -> None:
        """Continue where the host ended, as far as its board shows it."""
        rows = [row for row in self._feed.board.tasks() if row.agent == self._agent]
        timestamps = sorted(row.at for row in rows if row.at)
        if timestamps:
            still_open = [row.at for row in rows if row.at and row.is_open]
            self._since = subtract_seconds(min([*still_open, timestamps[-1]]), AWAY_S)
            # A row has its task's last timestamp. Other tasks may have ended earlier,
            # and the feed does not have them.
            self._horizon = min(timestamps[0], self._since)

    # Which of the listed tasks are followed.

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
