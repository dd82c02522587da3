"""Commands for an agent that the host is about to connect to.

A real collector talks to an agent on a real socket, in the test's process.
"""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Iterator

import anyio
import pytest

from host.config.agent_settings import AgentSettings
from host.errors import AgentUnreachable
from host.feed.feed import Feed
from host.following import collector
from host.following.collector import Collector
from host.log.memory_log import MemoryLog
from tests.support.binding_server import create_message
from tests.support.list_agent import CARD, Answer, ListAgent, serve_list_agent
from tests.support.raw_agent import Json, card


class SlowCard(ListAgent):
    """Sends its card only when `may_send` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.may_send = threading.Event()
        self.answers[CARD] = self._send_card

    def _send_card(self, _: Json) -> Answer:
        self.may_send.wait(30)
        shown = card("agent", self.url, streaming=False)
        return 200, {}, json.dumps(shown).encode()


@pytest.fixture
def agent() -> Iterator[SlowCard]:
    agent = SlowCard()
    with serve_list_agent(agent):
        yield agent
        agent.may_send.set()


@pytest.fixture
async def following(agent: SlowCard) -> AsyncIterator[Collector]:
    feed = Feed(MemoryLog())
    await feed.open()
    following = Collector("agent", AgentSettings(agent.url), feed)
    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        group.start_soon(following.run)
        yield following
        group.cancel_scope.cancel()


async def test_message_waits_until_the_host_has_connected(
    agent: SlowCard, following: Collector
) -> None:
    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(following.send, create_message())
            while not agent.count(CARD):
                await anyio.sleep(0.01)
            assert not agent.count("SendMessage")
            agent.may_send.set()

    assert agent.count("SendMessage") == 1


async def test_message_fails_when_connecting_takes_too_long(
    monkeypatch: pytest.MonkeyPatch, following: Collector
) -> None:
    monkeypatch.setattr(collector, "CONNECT_WAIT_S", 0.05)

    with pytest.raises(AgentUnreachable, match="agent cannot be reached: still conn"):
        await following.send(create_message())


async def test_message_to_a_lost_agent_fails_with_the_cause() -> None:
    feed = Feed(MemoryLog())
    await feed.open()
    following = Collector("agent", AgentSettings("http://127.0.0.1:9"), feed)
    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        group.start_soon(following.run)
        with (
            anyio.fail_after(collector.CONNECT_WAIT_S - 1),
            pytest.raises(AgentUnreachable, match="connection refused"),
        ):
            await following.send(create_message())
        group.cancel_scope.cancel()
