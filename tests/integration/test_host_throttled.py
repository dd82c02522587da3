"""Agents that ask for a pause with 429 or Retry-After get no requests meanwhile."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path

import pytest

from tests.support.host_client import HostClient, Json, host_at, watch_feed
from tests.support.list_agent import CARD, Answer, ListAgent
from tests.support.list_stack import list_stack
from tests.support.waiting import wait_until

PAUSE_S = 4


@asynccontextmanager
async def following(agent: ListAgent, folder: Path) -> AsyncIterator[HostClient]:
    """Run a host that follows the agent, and a reader, so that the host polls fast."""
    with list_stack(agent, folder) as stack:
        stack.wait_connected("agent")
        async with host_at(stack.url) as host, watch_feed(f"{stack.url}/feed"):
            yield host


class Refusal:
    """Answers once with 429, or another status, and the header."""

    def __init__(self, agent: ListAgent, method: str, retry_after: str, status: int):
        self.at_s = 0.0
        self._agent, self._method = agent, method
        self._answer: Answer = (status, {"retry-after": retry_after}, b"slow down")
        agent.answers[method] = self

    def __call__(self, _: Json) -> Answer:
        self.at_s = time.monotonic()
        del self._agent.answers[self._method]
        return self._answer


async def wait_for_trouble(host: HostClient, words: str) -> Json:
    async def found() -> Json | None:
        rows = await host.history(after=0, agent="agent", kind="agent")
        return next((row for row in rows if words in str(row["trouble"])), None)

    row = await wait_until(found, f"the trouble {words!r}", 30)
    assert row
    return row


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_periodic_requests_pause_as_long_as_the_agent_asks(
    tmp_path: Path, form: str, status: int
) -> None:
    agent = ListAgent()
    async with following(agent, tmp_path) as host:
        # A date has whole seconds.
        date = formatdate(time.time() + PAUSE_S + 1, usegmt=True)
        retry_after = date if form == "date" else str(PAUSE_S)
        refusal = Refusal(agent, "ListTasks", retry_after, status)
        await wait_until(lambda: refusal.at_s > 0, "the refusal", 30)
        before = len(agent.asked)
        await wait_until(lambda: len(agent.asked) > before, "the next request", 30)

        pause_s = agent.asked[before].at_s - refusal.at_s
        assert PAUSE_S - 0.5 < pause_s < PAUSE_S + 3
        row = await wait_for_trouble(host, f"HTTP {status}")
        assert "asks the host to wait until" in row["trouble"]
        assert row["connection"] == "connected"

        async def is_over() -> bool:
            return (await host.agent("agent"))["trouble"] is None

        await wait_until(is_over, "the trouble to be over", 30)


async def test_command_during_a_long_pause_fails_and_names_the_wait(
    tmp_path: Path,
) -> None:
    agent = ListAgent()
    async with following(agent, tmp_path) as host:
        Refusal(agent, "SendMessage", "60", 429)
        first = await host.send("agent", "please")
        sent = agent.count("SendMessage")
        second = await host.send("agent", "please")

    assert first.status_code == second.status_code == 502
    assert "HTTP 429: it asks the host to wait 60 s" in first.text
    assert "accepts no requests for" in second.text
    assert agent.count("SendMessage") == sent == 1


async def test_command_during_a_short_pause_waits(tmp_path: Path) -> None:
    agent = ListAgent()
    async with following(agent, tmp_path) as host:
        refusal = Refusal(agent, "ListTasks", "2", 429)
        await wait_until(lambda: refusal.at_s > 0, "the refusal", 30)
        await host.start("agent")

    sent = next(asked for asked in agent.asked if asked.method == "SendMessage")
    assert sent.at_s - refusal.at_s > 1.5


async def test_agent_that_asks_for_a_pause_before_it_is_connected_gets_it(
    tmp_path: Path,
) -> None:
    agent = ListAgent()
    refusal = Refusal(agent, CARD, str(PAUSE_S), 429)
    async with following(agent, tmp_path) as host:
        rows = await host.history(after=0, agent="agent", kind="agent")

    assert "HTTP 429" in next(r["cause"] for r in rows if r["connection"] == "lost")
    later = [asked.at_s for asked in agent.asked if asked.at_s > refusal.at_s]
    assert min(later) - refusal.at_s > PAUSE_S - 0.5
