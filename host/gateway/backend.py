"""The interface of the agents that the gateway serves: a followed agent or the host."""

from __future__ import annotations

from typing import Protocol

from a2a.types import a2a_pb2 as pb

from ..clients.answer import Answer
from ..clients.bindings.types import Update


class Backend(Protocol):
    """Every call raises AgentUnreachable, and A2AError if the agent refuses.

    The updates that a message causes are in the feed, even if its sender disconnects.
    """

    name: str

    @property
    def card(self) -> pb.AgentCard:
        """The agent's own card."""

    async def send(self, request: pb.SendMessageRequest) -> Answer:
        """Return the answer, which has begun."""

    async def get_task(self, task_id: str) -> Update:
        """Return the agent's Task. From now on its updates are in the feed."""

    async def cancel(self, task_id: str) -> Update:
        """Return the Task after the cancel. It may have another state."""
