"""Runs a real Collector and a real Feed in the loop of the test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import anyio
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import A2AError

from host.config.agent_settings import AgentSettings
from host.errors import AgentUnreachable
from host.feed.feed import Feed
from host.following.collector import Collector
from host.log.memory_log import MemoryLog
from host.model.event import Event, decode
from host.model.filter import Filter
from tests.support.model_agent import ModelAgent

AGENT = "model"
DEADLINE_S = 30.0


class ModelHost:
    """A host that follows the agent at `url`. It can be killed and started again."""

    def __init__(self, agent: ModelAgent) -> None:
        self.log = MemoryLog()
        self.is_running = False
        self._agent = agent
        self._replies: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        feed = Feed(self.log)
        await feed.open()
        self.collector = Collector(
            AGENT, AgentSettings(self._agent.url, poll_s=0.02), feed
        )
        self._running = asyncio.create_task(self._run(feed))
        self.is_running = True

    async def _run(self, feed: Feed) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(feed.write)
            group.start_soon(self.collector.run)

    async def kill(self) -> None:
        """End everything at once, as kill -9 would: unwritten events are lost."""
        self._running.cancel()
        self.is_running = False
        with suppress(asyncio.CancelledError):
            await self._running
        for reply in self._replies:
            reply.cancel()

    async def events(self, task_id: str) -> list[Event]:
        where = Filter(agent=frozenset([AGENT]), task=frozenset([task_id]))
        return [decode(row.body) for row in await self.log.read(0, 10_000, where)]

    async def send(self, text: str, task_id: str = "") -> None:
        """Send a message until the agent has received it."""
        part = pb.Part(text=text)
        message = pb.Message(message_id=f"user-{text}", task_id=task_id, parts=[part])
        message.role = pb.ROLE_USER
        with anyio.fail_after(DEADLINE_S):
            while message.message_id not in self._agent.received:
                with suppress(AgentUnreachable, A2AError):
                    request = pb.SendMessageRequest(message=message)
                    await self.collector.send(request)
                await asyncio.sleep(0.005)

    async def reply(self, text: str, task_id: str) -> None:
        """Return when the agent has the reply: its response may begin later."""
        reply = asyncio.create_task(self.send(text, task_id))
        self._replies.add(reply)
        reply.add_done_callback(self._replies.discard)
        message_id = f"user-{text}"
        await wait_for(lambda: message_id in self._agent.received, "the agent's reply")


async def wait_for(condition: Callable[[], bool], what: str) -> None:
    async def is_met() -> bool:
        return condition()

    await until(is_met, what)


async def until(condition: Callable[[], Any], what: str) -> None:
    """Wait for an async condition. Raises TimeoutError."""
    with anyio.move_on_after(DEADLINE_S):
        while not await condition():
            await asyncio.sleep(0.003)
        return
    raise TimeoutError(f"the feed never had {what}")
