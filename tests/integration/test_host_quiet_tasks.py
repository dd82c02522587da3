"""An open task without news does not keep the polls of its agent fast.

The collector runs in the test's process, so that a minute can be half a second. It
polls the agent of tests/support/list_agent.py over real sockets.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from a2a.utils.errors import MethodNotFoundError

from host.config.agent_settings import AgentSettings
from host.discovery import polling_pace
from host.feed.feed import Feed
from host.following.collector import Collector
from host.log.memory_log import MemoryLog
from host.merging import task_news
from host.model.filter import ALL
from tests.support.list_agent import CARD, ListAgent, serve_list_agent
from tests.support.raw_agent import status
from tests.support.waiting import wait_until

POLL_S, IDLE_S = 0.05, 8.0
SLOW_S = 1.5
STATES = ["INPUT_REQUIRED", "AUTH_REQUIRED", "WORKING"]


@pytest.fixture(autouse=True)
def short_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling_pace, "ACTIVE_S", 0.5)
    monkeypatch.setattr(task_news, "QUIET_S", 1.0)
    monkeypatch.setattr(task_news, "QUIET_WAITING_S", 0.5)


class Run:
    def __init__(self, agent: ListAgent, feed: Feed, collector: Collector) -> None:
        self.feed = feed
        self.collector = collector
        self._agent = agent

    async def until_slow(self) -> None:
        """Wait until two requests of discovery are far apart."""

        def is_slow() -> bool:
            found = [
                a.at_s for a in self._agent.asked if a.method in (CARD, "ListTasks")
            ]
            return len(found) > 3 and found[-1] - found[-2] > SLOW_S

        await wait_until(is_slow, "discovery to be slow", 60)

    async def until_found(self, task_id: str) -> float:
        """Start a task elsewhere. Return the seconds until the feed has it."""
        self._agent.add_task(task_id)
        began = time.monotonic()
        await wait_until(
            lambda: self.feed.board.task("agent", task_id), f"{task_id} to be found", 60
        )
        return time.monotonic() - began


@asynccontextmanager
async def follow(agent: ListAgent) -> AsyncIterator[Run]:
    feed = Feed(MemoryLog())
    await feed.open()
    with serve_list_agent(agent) as url:
        settings = AgentSettings(url, poll_s=POLL_S, poll_idle_s=IDLE_S)
        collector = Collector("agent", settings, feed)
        async with anyio.create_task_group() as group:
            group.start_soon(feed.write)
            group.start_soon(collector.run)
            yield Run(agent, feed, collector)
            group.cancel_scope.cancel()


@asynccontextmanager
async def follow_quiet_task() -> AsyncIterator[Run]:
    """Follow an agent with an open task until discovery is slow."""
    agent = ListAgent()
    agent.add_task("quiet", "INPUT_REQUIRED")
    async with follow(agent) as run:
        await run.until_slow()
        yield run


@pytest.mark.parametrize("state", STATES)
async def test_agent_of_a_quiet_task_is_polled_less_and_less(state: str) -> None:
    agent = ListAgent()
    agent.add_task("quiet", state)
    async with follow(agent) as run:
        await run.until_slow()
        row = run.feed.board.task("agent", "quiet")
    assert row and row.is_open


async def test_news_of_a_quiet_task_makes_the_polls_fast_again() -> None:
    agent = ListAgent()
    agent.add_task("quiet", "INPUT_REQUIRED")
    async with follow(agent) as run:
        await run.until_slow()
        agent.tasks[0]["status"] = status("goes on", 7, "TASK_STATE_WORKING")
        await wait_until(
            lambda: run.feed.board.open_tasks("agent")[0].status == "running",
            "the news",
            60,
        )
        assert await run.until_found("other") < 1


async def test_reader_makes_the_polls_of_a_quiet_task_fast_again() -> None:
    async with follow_quiet_task() as run:
        with run.feed.audience.join(ALL):
            assert await run.until_found("other") < 1


async def test_command_for_a_quiet_task_makes_the_polls_fast_again() -> None:
    async with follow_quiet_task() as run:
        with pytest.raises(MethodNotFoundError):
            await run.collector.cancel("quiet")
        assert await run.until_found("other") < 1


async def test_one_task_with_news_among_quiet_ones_keeps_the_polls_fast() -> None:
    async with follow_quiet_task() as run:
        assert await run.until_found("new") < 1.5 * IDLE_S
        assert await run.until_found("other") < 1
