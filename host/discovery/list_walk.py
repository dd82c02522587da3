"""Reads one list of tasks to its end, page by page, over as many polls as that takes.

A walk outlasts a connection: an agent that is lost again and again is still read to
the end. A budget limits how many pages of all walks are read.
"""

from __future__ import annotations

from ..clients.bindings.types import Page, Query
from ..protocol.a2a_objects import ListedTask

MAX_PAGES = 4_000  # Of one walk. An agent may make up pages without end.
PAGES_PER_S = 6.0  # Some 3 % of a core, with pages of 50 tasks.
PAGE_BURST = 20  # After an absence, or at first contact.
MAX_FAILURES = 2  # In a row at one page: its token may be no longer valid.


class ListWalk:
    """One walk through the list of `query`.

    `stop_before` ends it at the first page with only older tasks, after `min_pages`:
    lists are newest first, and not every agent filters them. `newest` is the latest
    timestamp of its first page, and `oldest_missing` the earliest of a task that is
    not in the log.
    """

    def __init__(
        self,
        query: Query,
        *,
        stop_before: str | None = None,
        min_pages: int = 1,
        max_pages: int = MAX_PAGES,
    ) -> None:
        self.query = query
        self.is_over = self.is_complete = self.has_repeats = False
        self._first_query = query
        self._stop_before = stop_before
        self._min_pages = min_pages
        self._max_pages = max_pages
        self._restart()

    def _restart(self) -> None:
        self.query = self._first_query
        self.page_count = 0
        self.newest = ""
        self.oldest_missing: str | None = None
        self._failures = 0
        self._tokens: set[str] = set()
        self._last_ids: list[str] = []

    def take(self, page: Page, missing: list[ListedTask]) -> None:
        """Go on after a page. `missing` are its tasks that are not in the log."""
        stamps = [task.timestamp for task in page.tasks if task.timestamp]
        if not self.page_count:
            self.newest = max(stamps, default="")
        self.page_count += 1
        self._failures = 0
        held = [task.timestamp for task in missing if task.timestamp]
        if held:
            self.oldest_missing = min([self.oldest_missing or held[0], *held])
        is_last = not page.next_token or self._is_past(stamps)
        self.has_repeats = not is_last and self._is_repeat(page)
        self.is_complete = is_last or self.has_repeats
        self.is_over = self.is_complete or self.page_count >= self._max_pages
        self.query = self.query._replace(page_token=page.next_token or "")

    def end(self) -> None:
        """End the walk here: the rest of the list has nothing new."""
        self.is_over = self.is_complete = True

    def note_failure(self) -> None:
        """Take note that the page could not be read. Start again if that lasts."""
        self._failures += 1
        if self._failures >= MAX_FAILURES:
            self._restart()

    def _is_past(self, stamps: list[str]) -> bool:
        """Return whether all later pages have only tasks from before `stop_before`."""
        if not stamps or self.page_count < self._min_pages:
            return False
        is_sorted = stamps == sorted(stamps, reverse=True)
        return (stamps[-1] if is_sorted else max(stamps)) < (self._stop_before or "")

    def _is_repeat(self, page: Page) -> bool:
        """Return whether the agent lists the same page again and again."""
        ids = [task.task_id for task in page.tasks]
        is_same = ids == self._last_ids or page.next_token in self._tokens
        self._last_ids = ids
        self._tokens.add(page.next_token or "")
        return is_same
