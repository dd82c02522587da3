"""Owns what the gateway asks of whoever it serves: an agent, or the host itself.

A Collector and the conductor are one.
"""

from __future__ import annotations

from typing import Protocol

from a2a.types import a2a_pb2 as pb

from ..clients.bindings.types import Update


class Backend(Protocol):
    """Every call raises AgentUnreachable, and A2AError where the agent refuses.

    What comes of a message is in the feed, whoever asked for it and went away.
    """

    name: str

    @property
    def card(self) -> pb.AgentCard:
        """As the agent shows it."""

    async def send(self, request: pb.SendMessageRequest) -> Update:
        """The first answer: a Message, a Task, or the first update of one."""

    async def get_task(self, task_id: str) -> Update:
        """The Task as the agent has it, whose updates are in the feed from now on."""

    async def cancel(self, task_id: str) -> Update:
        """The Task as the agent leaves it."""
