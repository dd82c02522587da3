"""A gap names the side that was away: the host, the agent, or both.

A real collector follows an agent on real sockets, in the test's process.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from host.config.agent_settings import AgentSettings
from host.feed.feed import Feed
from host.following.collector import Collector
from host.log.memory_log import MemoryLog
from host.model.event import GapEvent, decode
from host.model.filter import ALL
from tests.support.command_agents import WORKING, CommandAgent
from tests.support.fault_proxy import FaultProxy, Faults
from tests.support.harness import free_port
from tests.support.raw_agent import Exchange, card, serve
from tests.support.waiting import wait_until


class VersionedAgent(CommandAgent):
    """An agent with the task t1, whose card may change."""

    version = "1"
    lists = True

    def work(self, text: str) -> None:
        self.set_task("t1", WORKING, text)

    async def handle(self, exchange: Exchange) -> None:
        if exchange.method == "ListTasks" and not self.lists:
            await exchange.refuse(-32601, "no such method")
        elif exchange.method:
            await super().handle(exchange)
        else:
            changed = card("agent", exchange.url) | {"version": self.version}
            await exchange.answer(json.dumps(changed).encode())

    async def until_ended(self, exchange: Exchange, task_id: str) -> None:
        await exchange.until_gone(ping_s=10)


class Followed:
    """One run of a host: its feed, and a collector that can be replaced."""

    def __init__(self, url: str, log: MemoryLog) -> None:
        self.feed = Feed(log)
        self._settings = AgentSettings(url)
        self._scope = anyio.CancelScope()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Followed]:
        await self.feed.open()
        async with anyio.create_task_group() as self._group:
            self._group.start_soon(self.feed.write)
            self.collect()
            yield self
            self._group.cancel_scope.cancel()

    def collect(self) -> None:
        self.collector = Collector("agent", self._settings, self.feed)
        self._group.start_soon(self._collect, self.collector)

    async def _collect(self, collector: Collector) -> None:
        with anyio.CancelScope() as self._scope:
            await collector.run()

    async def stop_collecting(self) -> None:
        self._scope.cancel()
        await anyio.wait_all_tasks_blocked()

    async def until_connection(self, word: str) -> None:
        def is_it() -> bool:
            row = self.feed.board.agents.get("agent")
            return row is not None and row.connection == word

        await wait_until(is_it, f"the agent to be {word}", 30)

    async def until_message(self, text: str) -> None:
        def has_it() -> bool:
            row = self.feed.board.task("agent", "t1")
            return row is not None and row.message == text

        await wait_until(has_it, f"the message {text!r}", 30)

    async def gaps(self) -> list[str]:
        """Return the reasons of all gaps, up to their colon."""
        rows = await self.feed.history(0, None, 1_000, ALL)
        events = [decode(row.body) for row in rows]
        return [
            event.message.partition(":")[0]
            for event in events
            if isinstance(event, GapEvent)
        ]


@pytest.fixture
async def agent() -> AsyncIterator[VersionedAgent]:
    agent = VersionedAgent()
    agent.work("one")
    yield agent


@pytest.fixture
async def proxy(agent: VersionedAgent) -> AsyncIterator[FaultProxy]:
    """Serve the agent. Its clients use the proxy."""
    port = free_port()
    with FaultProxy(port) as proxy:
        async with anyio.create_task_group() as group:
            group.start_soon(serve, port, agent.handle)
            yield proxy
            group.cancel_scope.cancel()


def lose(proxy: FaultProxy) -> None:
    proxy.set_faults(Faults(refuse=True))
    proxy.cut()


async def test_host_was_away(agent: VersionedAgent, proxy: FaultProxy) -> None:
    log = MemoryLog()
    async with Followed(proxy.url, log).running() as host:
        await host.until_message("one")
    agent.work("two")

    async with Followed(proxy.url, log).running() as host:
        await host.until_message("two")
        assert await host.gaps() == ["the host was away"]


async def test_agent_was_away(agent: VersionedAgent, proxy: FaultProxy) -> None:
    async with Followed(proxy.url, MemoryLog()).running() as host:
        await host.until_message("one")
        lose(proxy)
        agent.work("two")
        await host.until_connection("lost")
        proxy.clear_faults()
        await host.until_message("two")
        assert await host.gaps() == ["the agent was away"]


async def test_host_and_agent_were_away(
    agent: VersionedAgent, proxy: FaultProxy
) -> None:
    log = MemoryLog()
    async with Followed(proxy.url, log).running() as host:
        await host.until_message("one")
    agent.work("two")
    lose(proxy)

    async with Followed(proxy.url, log).running() as host:
        await host.until_connection("lost")
        proxy.clear_faults()
        await host.until_message("two")
        assert await host.gaps() == ["the host and the agent were away"]


async def test_agent_was_removed_and_added_again(
    agent: VersionedAgent, proxy: FaultProxy
) -> None:
    async with Followed(proxy.url, MemoryLog()).running() as host:
        await host.until_message("one")
        await host.stop_collecting()
        await host.collector.announce_removed()
        agent.work("two")
        host.collect()
        await host.until_message("two")
        assert await host.gaps() == ["the host did not follow the agent"]


async def test_settings_of_the_agent_changed(
    agent: VersionedAgent, proxy: FaultProxy
) -> None:
    async with Followed(proxy.url, MemoryLog()).running() as host:
        await host.until_message("one")
        await host.stop_collecting()
        agent.work("two")
        host.collect()
        await host.until_message("two")
        assert await host.gaps() == ["the host reconnected to the agent"]


async def test_card_of_the_agent_changed(
    agent: VersionedAgent, proxy: FaultProxy
) -> None:
    agent.lists = False  # The host reads the card of such an agent more often.
    async with Followed(proxy.url, MemoryLog()).running() as host:
        await host.until_connection("connected")
        host.collector.follow("t1")
        await host.until_message("one")
        agent.version = "2"
        agent.work("two")

        def is_new() -> bool:
            return host.feed.board.agents["agent"].version == "2"

        await wait_until(is_new, "the new card", 30)
        await host.until_message("two")
        assert await host.gaps() == ["the host reconnected to the agent"]
