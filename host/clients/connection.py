"""Owns one connection to one agent: its card, the interface chosen, the A2A calls.

Reads the card, tries its interfaces in the card's order, and speaks over the first
that works. A collector opens one; it, its followers and discovery call it.
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
from .bindings.agent_http import Wire
from .bindings.selection import open_binding
from .bindings.types import Batch, Binding, Interface, Page, Query, Update
from .card import fetch, interfaces
from .credentials import Credentials
from .rate_limit import RateLimiter

TASK_POLL_S = 1.0
MAX_STREAMS = 500  # Open at once to one agent; each is a socket and some 50 kB.
OPEN_EVERY_S = 0.01
MAX_ASKING = 16  # At once, about thousands of tasks.
UNSUPPORTED = (MethodNotFoundError, UnsupportedOperationError)


class Connection:
    """Use as an async context manager: it raises AgentUnreachable when no interface
    of the agent works.

    Every call raises AgentUnreachable when the agent does not answer or answers
    what A2A does not allow, and the SDK's A2AError when it refuses. `can_stream`,
    `can_subscribe` and `can_list` say what the agent can do, as far as is known.
    """

    card: pb.AgentCard
    interface: Interface

    def __init__(
        self,
        name: str,
        settings: AgentSettings,
        credentials: Credentials,
        budget: RateLimiter,
    ) -> None:
        self.name = name
        self.can_stream = self.can_subscribe = self.can_list = self.is_resumable = False
        self._settings = settings
        self._credentials = credentials
        self._budget = budget
        self._stack = AsyncExitStack()
        self.stream_slots = anyio.Semaphore(MAX_STREAMS)
        self._next_at = 0.0
        self._asking = anyio.Semaphore(MAX_ASKING)

    async def __aenter__(self) -> Connection:
        async with self._stack as opening:
            public_only = self._settings.public_only
            wire = Wire(self.name, self._credentials, public_only=public_only)
            self._wire = await opening.enter_async_context(wire)
            self.card = await self._fetch_card()
            self._credentials.use_card(self.card)
            self._binding = await self._choose(opening)
            await self._extend_card()
            self.can_stream = self.can_subscribe = self.card.capabilities.streaming
            self.is_resumable = any(
                extension.uri == RESUMABLE
                for extension in self.card.capabilities.extensions
            )
            self._stack = opening.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def followed(self) -> str:
        """How its tasks are followed, as the page says it."""
        streams = self.can_stream and self.can_subscribe
        return "streaming" if streams else f"polling every {TASK_POLL_S:g} s"

    @property
    def discovery(self) -> str:
        """Which of its tasks are found, as the page says it."""
        return (
            "every task" if self.can_list else "only tasks that pass through this host"
        )

    @property
    def trouble(self) -> str | None:
        """What the agent asks for and has not been given."""
        return self._credentials.trouble

    async def has_card_changed(self) -> bool:
        """Whether the agent shows another card than the one this connection goes by.

        An extended card is not compared: only the one that everybody sees.
        """
        known = self._public_card
        return await self._fetch_card() != known

    async def _fetch_card(self) -> pb.AgentCard:
        self._public_card = await fetch(
            self._wire, self._settings.url, self._settings.card
        )
        return self._public_card

    async def _choose(self, opening: AsyncExitStack) -> Binding:
        """The first interface that works, in the order that the card prefers."""
        causes: list[str] = []
        for interface in interfaces(self.card):
            async with AsyncExitStack() as trying:
                try:
                    # In a thread: to import grpcio takes a second, once.
                    opened = await anyio.to_thread.run_sync(
                        open_binding, interface, self.card, self._wire, self._budget
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
        """Whether the agent can list its tasks. A card is not enough: a call must
        be answered."""
        try:
            await binding.list_tasks(Query(page_size=1))
        except UNSUPPORTED:
            await binding.reach()
            return False
        except A2AError as error:
            raise AgentUnreachable(f"{self.name} refuses ListTasks: {error}") from error
        return True

    async def _extend_card(self) -> None:
        """What the agent tells of itself to those who may know more."""
        if not self.card.capabilities.extended_agent_card:
            return
        try:
            extended = await self._binding.extended_card()
        except (A2AError, AgentUnreachable):
            return  # Offered to others, it seems; the public card will do.
        if extended.name:
            self.card = extended

    async def send(self, request: pb.SendMessageRequest) -> AsyncGenerator[Batch]:
        """The answer: updates as they come, or one where the agent cannot stream."""
        if self.can_stream:
            try:
                async with aclosing(
                    self._binding.send(request, streaming=True)
                ) as stream:
                    async for batch in stream:
                        yield batch
                return
            except MethodNotFoundError:
                # Its card promised too much; nothing was done with the message.
                self.can_stream = False
        async with aclosing(self._binding.send(request, streaming=False)) as answer:
            async for batch in answer:
                yield batch

    def subscribe(
        self, task_id: str, after: int | None = None
    ) -> AsyncGenerator[Batch]:
        """A task's updates: what followed number `after`, or the Task and the rest."""
        return self._binding.subscribe(task_id, after)

    async def wait_to_open(self) -> None:
        """Spreads the opening of many streams: each costs some 4 ms of a core."""
        at = anyio.current_time()
        self._next_at = max(at, self._next_at + OPEN_EVERY_S)
        if self._next_at > at:
            await anyio.sleep(self._next_at - at)

    async def get_task(self, task_id: str) -> Update:
        async with self._asking:
            return await self._binding.get_task(task_id)

    async def list_tasks(self, query: Query) -> Page:
        return await self._binding.list_tasks(query)

    async def cancel(self, task_id: str) -> Update:
        """The task as the agent leaves it, which may not be cancelled."""
        return await self._binding.cancel(task_id)
