"""One connection to one agent: its card, the chosen interface, and the A2A calls.

Reads the card, tries its interfaces in the card's order, and uses the first that works.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing

import anyio
import anyio.to_thread
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import (
    A2AError,
    MethodNotFoundError,
    UnsupportedOperationError,
)

from ..config.agent_settings import AgentSettings
from ..errors import AgentUnreachable
from ..protocol.a2a_objects import RESUMABLE
from .bindings.base import Binding
from .bindings.http_transport import CALL_S, HttpTransport
from .bindings.selection import open_binding
from .bindings.types import Batch, Interface, Page, Query, Update
from .card import fetch_card, list_interfaces
from .credentials import Credentials
from .loop_budget import LoopBudget
from .rate_limit import RateLimiter
from .task_list import ListTasksFailed, TaskList, describe_failure
from .throttle import TOO_MANY_REQUESTS, Throttle

TASK_POLL_S = 1.0
MAX_STREAMS = 500  # Open at once to one agent. Each is a socket and some 50 kB.
OPEN_EVERY_S = 0.02
MAX_GET_TASK = 16  # At once: an agent may have thousands of tasks.
UNSUPPORTED = (MethodNotFoundError, UnsupportedOperationError)
# Some agents use these for a single operation; others, and proxies, for all.
DENIED = (401, 403, 502, 503, 504)
UNKNOWN_TASK = "courtside-asks-whether-this-agent-answers"


class Connection:
    """Use as an async context manager. Entering raises AgentUnreachable if no interface
    of the agent works.

    Every call raises AgentUnreachable if the agent does not answer or breaks the
    protocol, and the SDK's A2AError if the agent refuses. `can_stream`, `can_subscribe`
    and `can_list` are the features that the agent supports, as far as the host knows.
    """

    card: pb.AgentCard
    interface: Interface
    _binding: Binding

    def __init__(
        self,
        name: str,
        settings: AgentSettings,
        credentials: Credentials,
        limiter: RateLimiter,
        throttle: Throttle | None = None,
        budget: LoopBudget | None = None,
    ) -> None:
        self.name = name
        self.budget = budget or LoopBudget()
        self.throttle = throttle or Throttle(name)
        self.can_stream = self.can_subscribe = False
        self.can_list = self.is_resumable = False
        self.list_failure: str | None = None
        """Why ListTasks fails now, although the agent may have it."""
        self.list_trouble: str | None = None
        """What is wrong with a ListTasks that works."""
        self.tasks_trouble: str | None = None
        """What the host does because the agent has too many tasks."""
        self.stream_slots = anyio.Semaphore(MAX_STREAMS)
        self._settings = settings
        self._credentials = credentials
        self._limiter = limiter
        self._stack = AsyncExitStack()
        self._next_at = 0.0
        self._get_task_slots = anyio.Semaphore(MAX_GET_TASK)

    async def __aenter__(self) -> Connection:
        async with self._stack as opening:
            public_only = self._settings.public_only
            http = HttpTransport(
                self.name,
                self._credentials,
                public_only=public_only,
                throttle=self.throttle,
                budget=self.budget,
            )
            self._http = await opening.enter_async_context(http)
            self.card = self._public_card = await self._fetch_card()
            self._credentials.use_card(self.card)
            await self._choose(opening)
            await self._extend_card()
            capabilities = self.card.capabilities
            self.can_stream = self.can_subscribe = capabilities.streaming
            self.is_resumable = any(
                extension.uri == RESUMABLE for extension in capabilities.extensions
            )
            self._stack = opening.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def followed(self) -> str:
        """How the host follows the agent's tasks, for the page."""
        is_streaming = self.can_stream and self.can_subscribe
        return "streaming" if is_streaming else f"polling every {TASK_POLL_S:g} s"

    @property
    def discovery(self) -> str:
        """Which tasks of the agent the host finds, for the page."""
        if self.can_list and not self.list_failure:
            return "every task"
        return "only tasks that pass through this host"

    @property
    def trouble(self) -> str | None:
        """What is wrong for as long as nobody changes it."""
        troubles = [
            self._credentials.trouble,
            self.throttle.trouble,
            self.list_trouble,
            self.tasks_trouble,
        ]
        if self.list_failure:
            troubles.append(f"{self.discovery}: ListTasks fails: {self.list_failure}")
        return "; ".join(filter(None, troubles)) or None

    @property
    def lint(self) -> list[str]:
        """What is wrong with the agent's responses although the host can read them."""
        return list(self._http.lint)

    async def has_card_changed(self) -> bool:
        """Return whether the public card differs from the one at the last call."""
        await self.throttle.wait()
        before = self._public_card
        self._public_card = await self._fetch_card()
        return self._public_card != before

    async def _fetch_card(self) -> pb.AgentCard:
        return await fetch_card(self._http, self._settings.url, self._settings.card)

    async def _choose(self, opening: AsyncExitStack) -> None:
        """Open the first interface that works, in the card's order.

        Without one, open the first where only ListTasks fails.
        """
        interfaces = list_interfaces(self.card)
        causes: list[str] = []
        doubtful: list[Interface] = []
        for interface in interfaces:
            try:
                is_only = len(interfaces) == 1
                return await self._open(opening, interface, accept_failure=is_only)
            except ListTasksFailed:
                doubtful.append(interface)
            except AgentUnreachable as error:
                causes.append(str(error))
        for interface in doubtful:
            try:
                return await self._open(opening, interface, accept_failure=True)
            except AgentUnreachable as error:
                causes.append(str(error))
        raise AgentUnreachable(
            "; ".join(causes)
            or f"bad card: {self.name} at {self._settings.url} offers no interface"
        )

    async def _open(
        self, opening: AsyncExitStack, interface: Interface, *, accept_failure: bool
    ) -> None:
        """Open an interface that the agent answers at.

        Raises ListTasksFailed if ListTasks fails there, unless `accept_failure` is set.
        """
        self.can_list, self.list_failure = True, None
        async with AsyncExitStack() as trying:
            # In a thread: importing grpcio takes a second, once.
            opened = await anyio.to_thread.run_sync(
                open_binding, interface, self.card, self._http, self._limiter
            )
            self._binding = await trying.enter_async_context(opened)
            self._task_list = TaskList(self._binding)
            try:
                await self._probe()
            except ListTasksFailed as error:
                if not accept_failure:
                    raise
                self.list_failure = str(error)
            opening.push_async_exit(trying.pop_all())
        self.interface = interface

    async def _probe(self) -> None:
        """Call the agent once, to find out whether it lists its tasks.

        Raises ListTasksFailed if only that fails, else AgentUnreachable.
        """
        try:
            # A slow list must not delay the connection.
            with anyio.fail_after(CALL_S):
                await self._task_list.request(Query(page_size=1))
        except UNSUPPORTED:
            await self._binding.reach()
            self.can_list = False
        except TimeoutError:
            await self._binding.reach()
            raise ListTasksFailed(f"no response within {CALL_S:g} s") from None
        except A2AError as error:
            # It is an A2A agent, and speaks this binding.
            self.list_failure = str(error)
        except AgentUnreachable as error:
            if error.agent_status == TOO_MANY_REQUESTS:
                return
            if error.agent_status in DENIED:
                await self._check_access()
            elif error.agent_status is None:
                await self._binding.reach()
            raise describe_failure(error) from error

    async def _check_access(self) -> None:
        """Raise AgentUnreachable if GetTask is denied as well."""
        try:
            await self._binding.get_task(UNKNOWN_TASK)
        except A2AError:
            pass
        except AgentUnreachable as error:
            if error.agent_status in (None, *DENIED):
                raise

    async def _extend_card(self) -> None:
        if not self.card.capabilities.extended_agent_card:
            return
        try:
            extended = await self._binding.extended_card()
        except (A2AError, AgentUnreachable):
            return  # It may require other credentials. The public card is enough.
        if extended.name:
            self.card = extended

    async def send(self, request: pb.SendMessageRequest) -> AsyncGenerator[Batch]:
        """Yield updates as they arrive, or one if the agent cannot stream."""
        await self.throttle.admit_command()
        if self.can_stream:
            try:
                stream = self._binding.send(request, streaming=True)
                async with aclosing(stream):
                    async for batch in stream:
                        yield batch
                return
            except MethodNotFoundError:
                # The card is wrong. The agent did nothing with the message.
                self.can_stream = False
        async with aclosing(self._binding.send(request, streaming=False)) as answer:
            async for batch in answer:
                yield batch

    async def subscribe(
        self, task_id: str, after: int | None = None
    ) -> AsyncGenerator[Batch]:
        """Yield a task's updates: those after number `after`, or the Task and the
        updates after it."""
        await self.throttle.wait()
        async with aclosing(self._binding.subscribe(task_id, after)) as stream:
            async for batch in stream:
                yield batch
                del batch  # A quiet stream must not keep it in memory.

    async def wait_to_open(self) -> None:
        """Spread the opening of many streams: each takes some 4 ms of a core."""
        at = anyio.current_time()
        self._next_at = max(at, self._next_at + OPEN_EVERY_S)
        if self._next_at > at:
            await anyio.sleep(self._next_at - at)

    async def get_task(self, task_id: str) -> Update:
        await self.throttle.wait()
        async with self._get_task_slots:
            return await self._binding.get_task(task_id)

    async def list_tasks(self, query: Query) -> Page:
        """Return one page. Raises ListTasksFailed for every failure."""
        await self.throttle.wait()
        try:
            return await self._task_list.request(query)
        except (A2AError, AgentUnreachable) as error:
            raise describe_failure(error) from error

    async def cancel(self, task_id: str) -> Update | None:
        """Return the agent's answer, None if it is not a Task."""
        await self.throttle.admit_command()
        return await self._binding.cancel(task_id)
