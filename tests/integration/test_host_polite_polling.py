"""An idle agent is polled less and less, and an active one fast enough.

The agent of tests/support/list_agent.py counts the requests of a real host. The
settings are short, so that a minute takes some seconds.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.host_client import HostClient, host_at, watch_feed
from tests.support.list_agent import CARD, ListAgent, refuse, serve_list_agent
from tests.support.stack import Stack
from tests.support.waiting import wait_until

POLL_S, IDLE_S = 0.1, 4.0
ACTIVE_S = 10.0  # After the connection, the host polls fast for so long.


@asynccontextmanager
async def following(
    agent: ListAgent, folder: Path, poll_s: float = POLL_S, poll_idle_s: float = IDLE_S
) -> AsyncIterator[tuple[Stack, HostClient]]:
    """Run a host that follows the agent with these settings."""
    with serve_list_agent(agent) as url:
        toml = (
            f"[agents.agent]\nurl = {json.dumps(url)}\npoll_s = {poll_s}\n"
            f"poll_idle_s = {poll_idle_s}\n"
        )
        with Stack(folder, [], toml=toml, log="memory") as stack:
            stack.wait_connected("agent")
            async with host_at(stack.url) as host:
                yield stack, host


async def wait_until_idle(agent: ListAgent) -> None:
    """Wait until two requests are as far apart as the settings allow."""

    async def is_slow() -> bool:
        times = [asked.at_s for asked in agent.asked[-2:]]
        return times[1] - times[0] > 0.8 * IDLE_S / 2

    await wait_until(is_slow, "the host to poll slowly", 60)


async def test_idle_agent_gets_two_requests_in_each_idle_pause(tmp_path: Path) -> None:
    agent = ListAgent()
    async with following(agent, tmp_path):
        await wait_until_idle(agent)
        before = len(agent.asked)
        began = time.monotonic()
        await wait_until(lambda: len(agent.asked) >= before + 4, "four requests", 60)
        took_s = time.monotonic() - began
        idle = [asked.method for asked in agent.asked[before:][:4]]

    assert took_s > 1.5 * IDLE_S
    assert idle.count("ListTasks") >= 2
    assert CARD in idle


async def test_reader_makes_an_idle_agent_active_at_once(tmp_path: Path) -> None:
    agent = ListAgent()
    async with following(agent, tmp_path) as (stack, _):
        await wait_until_idle(agent)
        async with watch_feed(f"{stack.url}/feed") as reader:
            before = len(agent.asked)
            began = time.monotonic()
            await wait_until(lambda: len(agent.asked) > before + 8, "fast polls", 30)
            assert time.monotonic() - began < IDLE_S
            agent.add_task("from-elsewhere")
            began = time.monotonic()
            await reader.until(lambda: bool(reader.of_task("from-elsewhere")), "it", 30)
            assert time.monotonic() - began < 1


async def test_task_of_an_idle_agent_is_found_after_the_idle_pause(
    tmp_path: Path,
) -> None:
    agent = ListAgent()
    async with following(agent, tmp_path) as (_, host):
        await wait_until_idle(agent)
        agent.add_task("from-elsewhere")
        began = time.monotonic()
        await host.row_with("from-elsewhere", "running")
        assert time.monotonic() - began < 1.5 * IDLE_S
        # It is open, so another one is found at once.
        agent.add_task("next")
        began = time.monotonic()
        await host.row_with("next", "running")
        assert time.monotonic() - began < 1


async def test_command_makes_an_idle_agent_active(tmp_path: Path) -> None:
    agent = ListAgent()
    async with following(agent, tmp_path) as (_, host):
        await wait_until_idle(agent)
        await host.start("agent")
        agent.add_task("from-elsewhere", "COMPLETED")
        began = time.monotonic()
        await host.row_with("from-elsewhere", "completed")
        assert time.monotonic() - began < 1


async def test_agent_without_list_tasks_is_polled_less_and_less(tmp_path: Path) -> None:
    agent = ListAgent()
    agent.answers["ListTasks"] = lambda _: refuse(-32601, "no such method")
    async with following(agent, tmp_path):
        await wait_until_idle(agent)
    assert {asked.method for asked in agent.asked[-2:]} == {CARD}


async def test_failing_list_tasks_is_polled_less_and_less(tmp_path: Path) -> None:
    agent = ListAgent()
    agent.answers["ListTasks"] = lambda _: refuse(-32603, "no")
    async with following(agent, tmp_path):
        await wait_until_idle(agent)
    assert CARD in {asked.method for asked in agent.asked[-2:]}
