"""One connection to one agent: its card, the chosen interface, and the A2A calls.

Reads the card, tries its interfaces in the card's order, and uses the first that works.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing

import anyio
import anyio.to_thread
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import A2AError, MethodNotFoundError, UnsupportedOperationError

from ..config.agent_settings import AgentSettings
from ..errors import AgentUnreachable
from ..protocol.a2a_objects import RESUMABLE
from .bindings.base import Binding
from .bindings.http_transport import HttpTransport
from .bindings.selection import open_binding
from .bindings.types import Batch, Interface, Page, Query, Update
from .card import fetch_card, list_interfaces
from .credentials import Credentials
from .rate_limit import RateLimiter

TASK_POLL_S = 1.0
MAX_STREAMS = 500  # Open at once to one agent. Each is a socket and some 50 kB.
OPEN_EVERY_S = 0.01
MAX_GET_TASK = 16  # At once: an agent may have thousands of tasks.
UNSUPPORTED = (MethodNotFoundError, UnsupportedOperationError)


class Connection:
    """Use as an async context manager. Entering raises AgentUnreachable if no interface
    of the agent works.

    Every call raises AgentUnreachable if the agent does not answer or breaks the
    protocol, and the SDK's A2AError if the agent refuses. `can_stream`, `can_subscribe`
    and `can_list` are the features that the agent supports, as far as the host knows.
    """

    card: pb.AgentCard
    interface: Interface

    def __init__(
        self,
        name: str,
        settings: AgentSettings,
        credentials: Credentials,
        limiter: RateLimiter,
    ) -> None:
        self.name = name
        self.can_stream = self.can_subscribe = False
        self.can_list = self.is_resumable = False
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
            http = HttpTransport(self.name, self._credentials, public_only=public_only)
            self._http = await opening.enter_async_context(http)
            self.card = self._public_card = await self._fetch_card()
            self._credentials.use_card(self.card)
            self._binding = await self._choose(opening)
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
        if self.can_list:
            return "every task"
        return "only tasks that pass through this host"

    @property
    def trouble(self) -> str | None:
        """The credentials that the card requires and the settings do not have."""
        return self._credentials.trouble

    @property
    def lint(self) -> list[str]:
        """What is wrong with the agent's responses although the host can read them."""
        return list(self._http.lint)

    async def has_card_changed(self) -> bool:
        """Return whether the public card differs from the one at the last call."""
        before = self._public_card
        self._public_card = await self._fetch_card()
        return self._public_card != before

    async def _fetch_card(self) -> pb.AgentCard:
        return await fetch_card(self._http, self._settings.url, self._settings.card)

    async def _choose(self, opening: AsyncExitStack) -> Binding:
        """Return the first interface that works, in the card's order."""
        causes: list[str] = []
        for interface in list_interfaces(self.card):
            async with AsyncExitStack() as trying:
                try:
                    # In a thread: importing grpcio takes a second, once.
                    opened = await anyio.to_thread.run_sync(
                        open_binding, interface, self.card, self._http, self._limiter
                    )
                    binding = await trying.enter_async_context(opened)
                    self.can_list = await self._probe(binding)
                except AgentUnreachable as error:
                    causes.append(str(error))
                    continue
                opening.push_async_exit(trying.pop_all())
                self.interface = interface
                return binding
        raise AgentUnreachable(
            "; ".join(causes)
            or f"bad card: {self.name} at {self._settings.url} offers no interface"
        )

    async def _probe(self, binding: Binding) -> bool:
        """Call the agent once, and return whether it can list its tasks."""
        try:
            await binding.list_tasks(Query(page_size=1))
        except UNSUPPORTED:
            await binding.reach()
            return False
        except A2AError as error:
            raise AgentUnreachable(f"{self.name} refuses ListTasks: {error}") from error
        return True

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

    def subscribe(
        self, task_id: str, after: int | None = None
    ) -> AsyncGenerator[Batch]:
        """Return a task's updates: those after number `after`, or the Task and the
        updates after it."""
        return self._binding.subscribe(task_id, after)

    async def wait_to_open(self) -> None:
        """Spread the opening of many streams: each takes some 4 ms of a core."""
        at = anyio.current_time()
        self._next_at = max(at, self._next_at + OPEN_EVERY_S)
        if self._next_at > at:
            await anyio.sleep(self._next_at - at)

    async def get_task(self, task_id: str) -> Update:
        async with self._get_task_slots:
            return await self._binding.get_task(task_id)

    async def list_tasks(self, query: Query) -> Page:
        return await self._binding.list_tasks(query)

    async def cancel(self, task_id: str) -> Update | None:
        """Return the agent's answer, None if it is not a Task."""
        return await self._binding.cancel(task_id)
