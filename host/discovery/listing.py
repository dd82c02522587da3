"""Calls ListTasks of one agent: within bounds, with a backoff while it fails, and only
as long as the agent is there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from ..clients.bindings.http_transport import CALL_S
from ..clients.bindings.types import Page, Query
from ..clients.connection import Connection
from ..clients.task_list import ListTasksFailed
from ..errors import AgentUnreachable

SILENT_CHECKS = 2  # Of the card, CALL_S each, until a silent agent is lost.
RETRY_S = (5.0, 10.0, 20.0, 40.0, 60.0)
REPEATS = "ListTasks repeats the same tasks on every page: the host reads only these"
ENDLESS = (
    "ListTasks has no end: the host reads its first pages again and again. Delete old "
    "tasks at the agent"
)
MAX_QUICK_FAILURES = 3  # A busy agent may fail now and then.


class Listing:
    """Belongs to one connection. `check_card` raises AgentUnreachable if the agent
    does not send its card."""

    def __init__(
        self, connection: Connection, check_card: Callable[[], Awaitable[None]]
    ) -> None:
        self._connection = connection
        self._check_card = check_card
        self._absence: AgentUnreachable | None = None
        self._failures = 0
        self._retry_at = 0.0

    @property
    def is_due(self) -> bool:
        """Whether to call ListTasks now. While it fails, it is called ever less."""
        if not self._connection.list_failure:
            return self._connection.can_list
        return anyio.current_time() >= self._retry_at

    def note_success(self) -> None:
        self._failures = 0
        self._connection.list_failure = None

    def note_failure(self, error: ListTasksFailed) -> None:
        """Give ListTasks up until the next attempt, unless it may be an accident."""
        self._failures += 1
        is_known = self._connection.list_failure is not None
        if not is_known:
            if not error.is_lasting and self._failures < MAX_QUICK_FAILURES:
                return
            self._failures = 1
        self._connection.list_failure = str(error)
        retry_s = RETRY_S[min(self._failures, len(RETRY_S)) - 1]
        self._retry_at = anyio.current_time() + retry_s

    async def request(self, query: Query) -> Page:
        """Return one page. Raises ListTasksFailed, or AgentUnreachable if the agent is
        lost."""
        page: Page | None = None
        failure: ListTasksFailed | None = None
        self._absence = None
        began_at = anyio.current_time()
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch, group.cancel_scope)
            try:
                page = await self._connection.list_tasks(query)
            except ListTasksFailed as error:
                failure = error
            group.cancel_scope.cancel()
        if failure:
            is_slow = anyio.current_time() - began_at >= CALL_S
            failure.is_lasting = failure.is_lasting or is_slow
            raise failure
        if page is None:
            raise self._absence or AgentUnreachable("the list was cancelled")
        return page

    async def _watch(self, waiting: anyio.CancelScope) -> None:
        """Cancel `waiting` when the agent sends neither its list nor its card."""
        silent = 0
        while True:
            await anyio.sleep(0 if silent else CALL_S)
            try:
                await self._check_card()
                silent = 0
            except AgentUnreachable as error:
                silent += 1
                if error.is_absent or silent == SILENT_CHECKS:
                    error.is_absent = True
                    self._absence = error
                    waiting.cancel()
                    return
