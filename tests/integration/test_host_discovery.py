"""Tasks that any client started are found and followed completely, at little cost.

A real host; the tasks are started at the agents themselves, not through the host.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from tests.support.a2a_client import agent_at, start_over_jsonrpc
from tests.support.agent_with_history import AgentWithHistory, serve_agent
from tests.support.harness import THOROUGH
from tests.support.host_client import (
    HostClient,
    Watcher,
    client,
    host_at,
    message_ids_at_agent,
    message_ids_in_feed,
    watch_feed,
)
from tests.support.limited_agents import RESULT, WORDS, serve_limited_agents
from tests.support.stack import Stack
from tests.support.waiting import wait_until

TASKS = 100 if THOROUGH else 40
AT_ONCE = 10
QUIET_POLLS = 12


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with serve_limited_agents(tmp_path_factory.mktemp("agents")) as served:
        yield {"plain": served["whole"]}


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, urls: dict[str, str]
) -> Iterator[Stack]:
    """The tasks of Carly and of the plain agent take 200 ms here."""
    folder = tmp_path_factory.mktemp("stack")
    agents = ("carly", "walter", "logan")
    with Stack(folder, agents, step_s=0.05, extra_agents=urls) as running:
        running.wait_connected("plain")
        yield running


async def keep_busy(host: HostClient, agent: str) -> None:
    """Start one task after the other through the host, as load."""
    while True:
        task_id = await host.start(agent)
        await host.row_with(task_id, "completed")


async def strangers(reader: Watcher, start: Callable[[], Awaitable[str]]) -> list[str]:
    """Run `TASKS` tasks, `AT_ONCE` at a time, to their ends. Return their ids."""
    started: list[str] = []

    async def stranger() -> None:
        for _ in range(TASKS // AT_ONCE):
            task_id = await start()
            started.append(task_id)
            await reader.until_over(task_id)

    async with anyio.create_task_group() as group:
        for _ in range(AT_ONCE):
            group.start_soon(stranger)
    assert len(started) == TASKS
    return started


async def test_tasks_of_other_clients_are_followed_completely_under_load(
    stack: Stack,
) -> None:
    carly = stack.agent_url("carly")
    async with (
        host_at(stack.url) as host,
        watch_feed(f"{stack.url}/feed?agent=carly") as reader,
        agent_at(carly) as agent,
        anyio.create_task_group() as load,
    ):
        for name in ("walter", "logan"):
            load.start_soon(keep_busy, host, name)
        started = await strangers(reader, agent.start)
        load.cancel_scope.cancel()

    for task_id in started:
        events = reader.of_task(task_id)
        kinds = [event["kind"] for event in events]
        assert events[-1]["status"] == "completed"
        assert (kinds.count("artifact"), kinds.count("gap")) == (1, 0)
        expected = await message_ids_at_agent(carly, task_id)
        assert message_ids_in_feed(reader.events, task_id) == expected


async def test_tasks_of_an_agent_without_resume_are_followed_completely(
    stack: Stack, urls: dict[str, str]
) -> None:
    async with (
        watch_feed(f"{stack.url}/feed?agent=plain") as reader,
        client() as http,
    ):
        started = await strangers(
            reader, lambda: start_over_jsonrpc(urls["plain"], http=http)
        )

    for task_id in started:
        assert said_once(reader, task_id) == list(WORDS)
        assert reader.of_task(task_id)[-1]["result"] == RESULT


def said_once(reader: Watcher, task_id: str) -> list[str]:
    """Return the messages of a task in order, each messageId once."""
    rows = [event for event in reader.of_task(task_id) if event["kind"] == "task"]
    by_id = {row["message_id"]: row["message"] for row in rows if row["message_id"]}
    return list(by_id.values())


@asynccontextmanager
async def following(agent: AgentWithHistory, folder: Path) -> AsyncIterator[Stack]:
    """Run a host that follows the agent, and a reader, so that the host polls fast."""
    with (
        serve_agent(agent) as url,
        Stack(folder, [], extra_agents={"agent": url}, log="memory") as running,
    ):
        running.wait_connected("agent")
        async with watch_feed(f"{running.url}/feed"):
            yield running


async def polls(agent: AgentWithHistory, count: int) -> None:
    """Wait until the agent has listed its tasks so many times more."""
    before = len(agent.list_calls())

    async def enough() -> bool:
        return len(agent.list_calls()) >= before + count

    await wait_until(enough, f"{count} more ListTasks calls", 30)


async def test_following_an_agent_with_10_000_finished_tasks_is_cheap(
    tmp_path: Path,
) -> None:
    agent = AgentWithHistory()
    async with following(agent, tmp_path):
        await polls(agent, 10)
        first = list(agent.calls)
        await polls(agent, QUIET_POLLS)
        quiet = agent.calls[len(first) :]

    assert sum(call.answer_bytes for call in first) < 500_000
    assert {call.method for call in quiet} == {"ListTasks"}
    assert max(call.answer_bytes for call in quiet) < 2_000
    for call in agent.list_calls():
        assert call.params["historyLength"] == 0
        assert not call.params.get("includeArtifacts")
        assert call.params["pageSize"] <= 100
    took_s = quiet[-1].at_s - quiet[0].at_s
    assert len(quiet) / took_s < 5


async def test_agent_that_ignores_filters_is_not_read_completely_each_time(
    tmp_path: Path,
) -> None:
    agent = AgentWithHistory(filters=False)
    async with following(agent, tmp_path):
        await polls(agent, QUIET_POLLS)

    pages = [call for call in agent.list_calls() if call.params.get("pageToken")]
    assert len(pages) < QUIET_POLLS
