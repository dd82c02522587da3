"""Finds the tasks of an agent, also those that other clients started: polls ListTasks.

The collector follows each task that is found. `polling_pace` has the pauses, `listing`
the calls, `list_walk` the reading of long lists, `list_mark` until when all tasks are
in the log. While ListTasks fails, the card shows whether the agent is there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from functools import partial

import anyio

from ..clients.bindings.types import Page, Query
from ..clients.connection import Connection
from ..clients.task_list import ListTasksFailed
from ..clients.throttle import TOO_MANY_REQUESTS
from ..errors import AgentUnreachable
from ..feed.feed import Feed
from ..protocol.a2a_objects import ListedTask
from ..protocol.task_status import STATUS_OF_STATE, is_terminal
from .list_mark import ListMark
from .list_walk import MAX_PAGES, PAGE_BURST, PAGES_PER_S, ListWalk
from .listed_tasks import ListedTasks
from .listing import ENDLESS, REPEATS, Listing
from .polling_pace import PollingPace
from .token_bucket import TokenBucket

CARD_POLL_S = 2.0
OPEN_TASKS_S = 15.0
ALL_TASKS_S = 600.0
DOUBTFUL_S = 60.0  # The same, when an earlier task was missing.
PAGE_SIZE = 50
MAX_MISSES = 3  # A busy agent may be late; one that refuses connections is lost.
HISTORY_PAGES = 200  # The sweep goes so far, also into the history.
MAX_UNFILTERED_PAGES = 50  # At first: more open tasks than are followed at once.
OPEN_STATES = [state for state in STATUS_OF_STATE if not is_terminal(state)]
NEWS, ALL = "news", "all"  # Names of walks; the others have the name of a state.


class Discovery:
    """Calls `found` with each task to follow, repeatedly while it is open.

    `found` returns whether the task is new. `report` writes how the agent is followed
    into its row. For `skips` and `give_up`, see ListedTasks. The mark and the walks
    outlast a connection, so that tasks that end while the agent is lost are found
    later.
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
        skips: Callable[[ListedTask], bool] = lambda _: False,
        give_up: Callable[[ListedTask], None] = lambda _: None,
    ) -> None:
        self._agent = agent
        self._feed = feed
        self._pace = pace
        self._report = report
        self.mark = ListMark(agent, feed)
        self._tasks = ListedTasks(
            agent, feed, self.mark, follow=found, skips=skips, give_up=give_up
        )
        self._walks: dict[str, ListWalk] = {}
        self._budget = TokenBucket(PAGES_PER_S, PAGE_BURST)
        self._first_page: Page | None = None
        self._all_tasks_at: float | None = None
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
        self._open_tasks_at = anyio.current_time()
        if self._all_tasks_at is None:
            self._all_tasks_at = anyio.current_time()
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
        is_first_contact = self.mark.until is None and not self.mark.load()
        if is_first_contact:
            await self._list_first_page()
        else:
            await self._list_news()
        self._has_listed = True
        self._listing.note_success()
        await self._report(self._connection)
        self._tasks.follow_again()
        await self._list_open_tasks()
        if self._is_unfiltered and is_first_contact:
            self._sweep(MAX_UNFILTERED_PAGES)
        elif self.mark.is_doubtful:
            self._sweep()
        await self._continue_walks()

    async def _list_active(self) -> None:
        """List new tasks, and now and then more. Takes some requests at once."""
        now = anyio.current_time()
        await self._list_news()
        if now - self._open_tasks_at >= OPEN_TASKS_S:
            self._open_tasks_at = now
            await self._list_open_tasks()
            # Finds the latest tasks also if the agent's clock was set back.
            await self._list_newest()
            await self._check_card()
        pause_s = DOUBTFUL_S if self.mark.is_doubtful else ALL_TASKS_S
        if now - (self._all_tasks_at or 0) >= pause_s:
            self._sweep()
        await self._continue_walks()
        self._listing.note_success()

    def _iterate_idle_steps(self) -> Iterator[Callable[[], Awaitable[object]]]:
        """Iterate over what an idle agent is asked: one request each time."""
        while True:
            for status in (None, *OPEN_STATES):
                query = Query(status=status, page_size=PAGE_SIZE)
                yield self._list_news
                yield self._check_card
                yield self._list_news
                yield partial(self._step, ListWalk(query), status or ALL)

    async def _list_first_page(self) -> None:
        """On first contact, take of the finished tasks only the latest."""
        page = await self._listing.request(Query(page_size=PAGE_SIZE))
        timestamps = [task.timestamp for task in page.tasks if task.timestamp]
        horizon = min(timestamps, default="") if page.next_token else ""
        self.mark.begin(horizon)
        self._first_page = page if timestamps else None
        await self._tasks.take(page)

    async def _list_news(self) -> None:
        """List the tasks since the mark. A walk reads those after the first page."""
        if self._first_page and not await self._is_recorded(self._first_page):
            await self._step(ListWalk(Query(page_size=PAGE_SIZE)), ALL)
            return
        since = self.mark.since
        walk = ListWalk(Query(since, page_size=PAGE_SIZE), stop_before=since)
        await self._step(walk, NEWS)
        if walk.is_over:
            self._walks.pop(NEWS, None)
            self._finish(walk, NEWS)
        elif walk.oldest_missing or not self.mark.is_settled(walk.newest):
            self._walks.setdefault(NEWS, walk)
            self._pace.note_news()

    async def _is_recorded(self, page: Page) -> bool:
        """Return whether the tasks of the first page are in the log. Then use it as the
        list since the horizon, which would be the same page again."""
        if (await self._tasks.take(page)).missing:
            return False
        newest = max(task.timestamp for task in page.tasks if task.timestamp)
        self.mark.advance(newest, None, at_once=True)
        self._first_page = None
        return True

    async def _list_open_tasks(self) -> None:
        """Find tasks that have no timestamps, or change without them."""
        for state in OPEN_STATES:
            walk = ListWalk(Query(status=state, page_size=PAGE_SIZE))
            states = await self._step(walk, state)
            if states - {state}:
                self._is_unfiltered = True
                return
            if not walk.is_over:
                self._walks.setdefault(state, walk)

    async def _list_newest(self) -> None:
        walk = ListWalk(Query(page_size=PAGE_SIZE))
        await self._step(walk, ALL)
        self.mark.fall_back(walk.newest)

    def _sweep(self, max_pages: int = MAX_PAGES) -> None:
        """Read all tasks, also those that no other list shows."""
        self._all_tasks_at = anyio.current_time()
        self.mark.is_doubtful = False
        walk = ListWalk(
            Query(page_size=PAGE_SIZE),
            stop_before=self.mark.horizon,
            min_pages=HISTORY_PAGES,
            max_pages=max_pages,
        )
        self._walks.setdefault(ALL, walk)

    # The reading of lists.

    async def _continue_walks(self) -> None:
        """Read more pages: many of new tasks, else one, for new tasks must not wait."""
        while NEWS in self._walks and self._budget.take():
            await self._continue_walk(NEWS)
        if self._walks and self._budget.take():
            await self._continue_walk(next(iter(self._walks)))

    async def _continue_walk(self, name: str) -> None:
        """Read a page. The next turn is that of another walk."""
        walk = self._walks.pop(name)
        try:
            await self._step(walk, name)
        finally:
            if not walk.is_over:
                self._walks[name] = walk
        if walk.is_over:
            self._finish(walk, name)

    async def _step(self, walk: ListWalk, name: str) -> set[str]:
        """Read and take the next page of a walk. Return the states of its tasks."""
        try:
            page = await self._listing.request(walk.query)
        except ListTasksFailed as error:
            if not error.is_absent and error.agent_status != TOO_MANY_REQUESTS:
                walk.note_failure()
            raise
        taken = await self._tasks.take(page)
        walk.take(page, taken.missing)
        if taken.is_new:
            self._pace.note_news()
        elif name == NEWS and not (walk.newest or taken.missing):
            walk.end()  # Without timestamps, a page without news is all that ends it.
        if taken.is_late and name != NEWS:
            self.mark.is_doubtful = True
        return {task.state for task in page.tasks}

    def _finish(self, walk: ListWalk, name: str) -> None:
        if walk.has_repeats:
            self._connection.list_trouble = REPEATS
        elif not walk.is_complete and name != ALL:
            self._connection.list_trouble = ENDLESS
        if name == NEWS and walk.is_complete:
            is_one = walk.page_count == 1
            self.mark.advance(walk.newest, walk.oldest_missing, at_once=is_one)
