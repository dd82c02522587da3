"""POST /agents takes the settings of an agent, which last."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio

from tests.support.host_client import HostClient, host_at, watch_feed
from tests.support.list_agent import ListAgent, serve_list_agent
from tests.support.paged_agent import PagedAgent
from tests.support.stack import Stack
from tests.support.waiting import wait_until

POLL_S = 2.0
URL = "http://agent.example"


async def longest_pause_s(agent: ListAgent) -> float:
    """Return the longest time between two of the next lists.

    The first ones after the connection come at once.
    """
    before, more = agent.count("ListTasks"), 10
    await wait_until(lambda: agent.count("ListTasks") >= before + more, "lists", 60)
    times = [asked.at_s for asked in agent.asked if asked.method == "ListTasks"]
    return max(b - a for a, b in pairwise(times[before : before + more]))


async def until_connected(host: HostClient) -> None:
    async def is_connected() -> bool:
        agents: dict[str, str] = (await host.get("/healthz"))["agents"]
        return agents.get("slow") == "connected"

    await wait_until(is_connected, "the agent to be connected", 30)


async def test_added_agent_is_polled_as_its_settings_say_also_after_a_restart(
    tmp_path: Path,
) -> None:
    agent = ListAgent()
    with serve_list_agent(agent) as url, Stack(tmp_path, []) as stack:
        async with host_at(stack.url) as host:
            body = {"url": url, "name": "slow", "poll_s": POLL_S, "poll_idle_s": 600}
            answer = await host.http.post("/agents", json=body)
            assert answer.status_code == 201, answer.text
            for _ in range(2):
                await until_connected(host)
                async with watch_feed(f"{stack.url}/feed"):
                    assert await longest_pause_s(agent) > 0.9 * POLL_S
                stack.host.kill()
                await anyio.to_thread.run_sync(stack.host.restart)


async def test_added_agent_has_its_own_limit_of_followed_tasks(tmp_path: Path) -> None:
    agent = PagedAgent()
    agent.add_many(8, "open", "WORKING")
    with serve_list_agent(agent) as url, Stack(tmp_path, [], log="memory") as stack:
        async with host_at(stack.url) as host:
            body = {"url": url, "name": "busy", "max_tasks": 5}
            answer = await host.http.post("/agents", json=body)
            assert answer.status_code == 201, answer.text

            async def says_so() -> bool:
                trouble = (await host.agent("busy"))["trouble"] or ""
                return trouble.startswith("over 5 of its tasks are open")

            await wait_until(says_so, "the trouble", 30)


async def test_unusable_setting_is_400_and_named(tmp_path: Path) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"poll_s": 0.01}, "poll_s"),
        ({"poll_s": "1"}, "poll_s"),
        ({"poll_s": True}, "poll_s"),
        ({"poll_idle_s": 4000}, "poll_idle_s"),
        ({"poll_s": 10, "poll_idle_s": 5}, "poll_idle_s must be at least poll_s"),
        ({"stalled_after_s": -1}, "stalled_after_s"),
        ({"max_tasks": 0}, "max_tasks"),
    ]
    with Stack(tmp_path, [], log="memory") as stack:
        async with host_at(stack.url) as host:
            for settings, text in cases:
                answer = await host.http.post("/agents", json={"url": URL, **settings})
                assert answer.status_code == 400, settings
                assert text in answer.json()["error"]["message"]
            rows = (await host.get("/agents"))["agents"]
            assert URL not in [row["url"] for row in rows]


async def test_settings_are_in_the_openapi_document(tmp_path: Path) -> None:
    with Stack(tmp_path, [], log="memory") as stack:
        async with host_at(stack.url) as host:
            document = await host.get("/openapi.json")
    schema = document["components"]["schemas"]["NewAgent"]
    for name in ("poll_s", "poll_idle_s", "stalled_after_s", "max_tasks"):
        assert schema["properties"][name]["type"] in ("number", "integer")
        assert name not in schema["required"]
