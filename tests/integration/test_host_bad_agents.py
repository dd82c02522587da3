"""Agents that send false data, garbage or nothing do not affect the others.

A real host follows the agents of tests/support/bad_agents.py and a good one.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.bad_agents import serve_bad_agents
from tests.support.host_client import HostClient, Json, watch_feed
from tests.support.stack import Stack
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    with (
        serve_bad_agents() as urls,
        Stack(folder, ["carly"], extra_agents=urls, log="memory") as running,
    ):
        yield running


async def lost(host: HostClient, agent: str, attempt: int = 1) -> Json:
    """Return the agent's row once it is lost after so many attempts."""

    async def found() -> Json | None:
        row = await host.agent(agent)
        gone = row["connection"] == "lost" and row["attempt"] >= attempt
        return row if gone else None

    row = await wait_until(found, f"{agent} to be lost", 30)
    assert row
    return row


async def connected(host: HostClient, agent: str) -> Json:
    """Return the agent's row once it is connected."""

    async def found() -> Json | None:
        row = await host.agent(agent)
        return row if row["connection"] == "connected" else None

    row = await wait_until(found, f"{agent} to be connected", 30)
    assert row
    return row


async def good_task(stack: Stack, host: HostClient) -> None:
    async with watch_feed(f"{stack.url}/feed") as reader:
        task_id = await host.start("carly")
        await reader.until_over(task_id)
    assert reader.of_task(task_id)[-1]["status"] == "completed"


async def test_good_agent_is_followed_beside_all_bad_ones(
    stack: Stack, host: HostClient
) -> None:
    await good_task(stack, host)


@pytest.mark.parametrize(
    ("agent", "cause"),
    [
        *((name, "bad card") for name in ("page", "list", "null", "number", "empty")),
        *((name, "bad card") for name in ("deep", "strange", "wronghost")),
        ("mute", "bad card"),
        ("endless", "bad card: JSON nested too deeply"),
        ("gopher", "offers GOPHER"),
        ("forbidden", "401"),
        ("missing", "404"),
        ("broken", "500"),
        ("moved", "redirect loop"),
        ("cut", "disconnected"),
        ("nowhere", "DNS"),
        ("hang", "timeout"),
    ],
)
async def test_agent_without_a_usable_card_is_lost_with_its_cause(
    host: HostClient, agent: str, cause: str
) -> None:
    row = await lost(host, agent)

    assert cause in row["cause"]
    assert agent in row["cause"]
    assert row["retry_s"] > 0


@pytest.mark.parametrize(
    "agent", ["rpcpage", "rpcempty", "rpcerror", "rpcdeep", "rpcnumber"]
)
async def test_agent_that_answers_no_call_loses_only_discovery(
    host: HostClient, agent: str
) -> None:
    row = await connected(host, agent)

    assert row["discovery"] == "only tasks that pass through this host"
    assert "ListTasks fails: " in row["trouble"]


async def test_agent_that_cannot_list_tasks_is_connected(
    host: HostClient,
) -> None:
    assert (await connected(host, "nolist"))["trouble"] is None


async def test_endless_pages_are_not_read_forever(host: HostClient) -> None:
    async def reported() -> bool:
        return "repeats" in str((await host.agent("samepage"))["trouble"])

    await wait_until(reported, "the repeated pages to be reported", 30)
    await connected(host, "samepage")


@pytest.mark.parametrize("agent", ["silent", "failing"])
async def test_task_of_a_silent_stream_is_read_from_its_agent(
    host: HostClient, agent: str
) -> None:
    async def task_rows() -> list[Json]:
        return await host.history(agent=agent, kind="task")

    rows = await wait_until(task_rows, f"the task of {agent}", 30)

    assert [row["status"] for row in rows] == ["running"]


async def test_no_bad_agent_is_logged_as_a_crash(
    stack: Stack, host: HostClient
) -> None:
    await lost(host, "hang")

    assert "Traceback" not in stack.host.output()


async def test_good_agent_is_still_followed_at_the_end(
    stack: Stack, host: HostClient
) -> None:
    await good_task(stack, host)

    rows = await host.history(agent="carly", kind="agent")
    assert [row["connection"] for row in rows] == ["connecting", "connected"]
    assert (await host.get("/healthz"))["status"] == "ok"
