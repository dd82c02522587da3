"""Agents with fewer abilities are followed as well as possible. Their rows say how.

A real host follows the plain SDK's agents of tests/support/limited_agents.py.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.a2a_client import start_over_jsonrpc
from tests.support.host_client import HostClient, watch_feed
from tests.support.limited_agents import KINDS, RESULT, WORDS, serve_limited_agents
from tests.support.stack import Stack
from tests.support.waiting import wait_until

EVERY = "every task"
OURS_ONLY = "only tasks that pass through this host"
POLLING = "polling every 1 s"


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with serve_limited_agents(tmp_path_factory.mktemp("agents")) as served:
        yield served


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, urls: dict[str, str]
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, [], extra_agents=urls) as running:
        running.wait_connected(*KINDS)
        yield running


async def wait_until_followed(host: HostClient, agent: str, how: str) -> None:
    """Wait until the agent's row has this value of `followed`."""

    async def found() -> bool:
        return bool((await host.agent(agent))["followed"] == how)

    await wait_until(found, f"{agent} to be followed by {how}", 30)


@pytest.mark.parametrize(
    ("agent", "how", "which"),
    [
        ("whole", "streaming", EVERY),
        ("nolist", "streaming", OURS_ONLY),
        ("unary", POLLING, EVERY),
        ("least", POLLING, OURS_ONLY),
    ],
)
async def test_row_says_how_the_agent_is_followed_and_which_tasks_are_found(
    host: HostClient, agent: str, how: str, which: str
) -> None:
    row = await host.agent(agent)

    assert (row["followed"], row["discovery"]) == (how, which)


@pytest.mark.parametrize("agent", KINDS)
async def test_task_started_here_is_followed_completely(
    stack: Stack, host: HostClient, agent: str
) -> None:
    async with watch_feed(f"{stack.url}/feed?agent={agent}") as reader:
        task_id = await host.start(agent)
        await reader.until_over(task_id)

    events = reader.of_task(task_id)
    words = [event["message"] for event in events if event["kind"] == "task"]
    assert [word for word in dict.fromkeys(words) if word in WORDS] == list(WORDS)
    assert events[-1]["status"] == "completed"
    assert events[-1]["result"] == RESULT
    assert "gap" not in {event["kind"] for event in events}


@pytest.mark.parametrize("agent", ["whole", "nosubscribe", "unary"])
async def test_task_of_another_client_is_found_if_the_agent_lists_tasks(
    stack: Stack, urls: dict[str, str], agent: str
) -> None:
    async with watch_feed(f"{stack.url}/feed?agent={agent}") as reader:
        task_id = await start_over_jsonrpc(urls[agent])
        await reader.until_over(task_id)

    assert reader.of_task(task_id)[-1]["result"] == RESULT


async def test_task_of_another_client_is_not_found_without_a_list(
    stack: Stack, host: HostClient, urls: dict[str, str]
) -> None:
    async with watch_feed(f"{stack.url}/feed?agent=nolist") as reader:
        theirs = await start_over_jsonrpc(urls["nolist"])
        ours = await host.start("nolist")
        await reader.until_over(ours)

    assert reader.of_task(theirs) == []


async def test_agent_that_refuses_subscriptions_is_polled(
    stack: Stack, host: HostClient, urls: dict[str, str]
) -> None:
    async with watch_feed(f"{stack.url}/feed?agent=nosubscribe") as reader:
        task_id = await start_over_jsonrpc(urls["nosubscribe"], "wait")
        await wait_until_followed(host, "nosubscribe", POLLING)
        await host.row_with(task_id, "running")
        assert (await host.cancel("nosubscribe", task_id)).status_code == 200
        await reader.until_over(task_id)

    assert reader.of_task(task_id)[-1]["status"] == "cancelled"


@pytest.mark.parametrize("agent", ["wordy", "least"])
async def test_response_without_a_task_is_returned_and_in_the_feed(
    stack: Stack, host: HostClient, agent: str
) -> None:
    async with watch_feed(f"{stack.url}/feed?agent={agent}&kind=message") as reader:
        answer = (await host.send(agent, "talk")).json()
        await reader.until(lambda: bool(reader.events), "the message")

    assert answer["message"]["parts"] == [{"text": "Hello."}]
    (event,) = reader.events
    assert (event["agent"], event["message"]) == (agent, "Hello.")
