"""Agents that are killed, restarted or never run are reported, without side effects.

Real agents killed with SIGKILL and frozen with SIGSTOP under a real host.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from tests.support.harness import free_port
from tests.support.host_client import (
    HostClient,
    Json,
    Watcher,
    message_ids_at_agent,
    message_ids_in_feed,
    watch_feed,
)
from tests.support.stack import Stack
from tests.support.waiting import wait_until

AGENTS = ("carly", "walter", "nancy")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    ghost = {"ghost": f"http://127.0.0.1:{free_port()}"}
    with Stack(folder, AGENTS, step_s=0.1, extra_agents=ghost) as running:
        yield running


def connections(reader: Watcher, agent: str) -> list[str]:
    """Return the agent's connection states in the feed, without repetitions."""
    states = [
        event["connection"]
        for event in reader.events
        if event["kind"] == "agent" and event["agent"] == agent
    ]
    return [now for i, now in enumerate(states) if i == 0 or now != states[i - 1]]


async def test_killed_agent_reconnects_and_its_task_ends(
    stack: Stack, host: HostClient
) -> None:
    nancy = stack.agents["nancy"]
    async with watch_feed(f"{stack.url}/feed") as reader:
        doomed = await host.start("nancy", skill="invite_everyone")
        await host.row_with(doomed, "input-required")
        others = [await host.start(name) for name in ("carly", "walter")]

        nancy.kill()
        await reader.until(
            lambda: connections(reader, "nancy") == ["lost"], "nancy to be lost"
        )
        await reader.until_over(*others)
        assert (await host.get("/healthz"))["agents"]["nancy"] == "lost"
        assert not reader.is_over(doomed), "the host does not know that yet"
        await anyio.to_thread.run_sync(nancy.restart)
        await reader.until_over(doomed)

    assert connections(reader, "nancy") == ["lost", "connected"]
    row = next(
        e for e in reader.events if (e["agent"], e["kind"]) == ("nancy", "agent")
    )
    assert "refused" in row["cause"]
    assert row["attempt"] >= 1
    assert row["retry_s"] > 0
    assert row["title"] == "Nancy", "a lost agent keeps its title"
    last = reader.of_task(doomed)[-1]
    assert last["status"] == "error"
    assert last["message"] == "nancy restarted and no longer knows this task"
    for task_id, name in zip(others, ("carly", "walter"), strict=True):
        assert {event["kind"] for event in reader.of_task(task_id)} == {
            "task",
            "artifact",
        }
        message_ids = message_ids_in_feed(reader.events, task_id)
        assert message_ids == await message_ids_at_agent(stack.agent_url(name), task_id)
        assert connections(reader, name) == []


async def test_tasks_of_a_restarted_agent_are_followed(
    stack: Stack, host: HostClient
) -> None:
    carly = stack.agents["carly"]
    await anyio.to_thread.run_sync(carly.restart)
    stack.wait_connected("carly")

    async with watch_feed(f"{stack.url}/feed") as reader:
        task_id = await host.start("carly")
        await reader.until_over(task_id)

    message_ids = message_ids_in_feed(reader.events, task_id)
    assert message_ids == await message_ids_at_agent(carly.url, task_id)


async def test_frozen_agent_loses_nothing_and_delays_no_other(
    stack: Stack, host: HostClient
) -> None:
    walter = stack.agents["walter"]
    async with watch_feed(f"{stack.url}/feed") as reader:
        frozen = await host.start("walter")
        await host.row_with(frozen, "running")
        walter.pause()
        try:
            other = await host.start("carly")
            await reader.until_over(other)
            assert not reader.is_over(frozen)
        finally:
            walter.resume()
        await reader.until_over(frozen)

    assert reader.of_task(other)[-1]["status"] == "completed"
    message_ids = message_ids_in_feed(reader.events, frozen)
    assert message_ids == await message_ids_at_agent(walter.url, frozen)


async def lost_ghost(host: HostClient) -> Json:
    """Wait until the ghost is lost. Return its row."""

    async def lost() -> Json | None:
        row = await host.agent("ghost")
        return row if row["connection"] == "lost" else None

    row = await wait_until(lost, "the ghost to be lost", 30)
    assert row
    return row


async def test_agent_that_never_ran_is_lost_with_its_cause(
    host: HostClient,
) -> None:
    ghost = await lost_ghost(host)

    assert ghost["cause"].startswith("connection refused")
    assert ghost["url"] in ghost["cause"]
    assert ghost["retry_s"] > 0


async def test_agents_on_this_machine_are_reached_without_its_proxy(
    tmp_path: Path,
) -> None:
    proxied = Stack(tmp_path, ["carly"])
    nobody = f"http://127.0.0.1:{free_port()}"
    proxied.host.env |= {"HTTP_PROXY": nobody, "http_proxy": nobody, "NO_PROXY": ""}

    with proxied:
        assert proxied.connections() == {"carly": "connected"}


@pytest.mark.parametrize("path", ["message:send", "tasks/t1:cancel"])
async def test_command_to_a_lost_agent_is_502_with_the_cause(
    host: HostClient, path: str
) -> None:
    await lost_ghost(host)
    before = await host.history(agent="carly")

    if path == "message:send":
        answer = await host.send("ghost", "Are you there?")
    else:
        answer = await host.cancel("ghost", "t1")

    error = answer.json()["error"]
    assert answer.status_code == error["code"] == 502
    assert "ghost cannot be reached" in error["message"]
    assert "refused" in error["message"]
    assert error["details"][0]["reason"] == "AGENT_UNREACHABLE"
    assert error["details"][0]["domain"] == "courtside"
    assert await host.history(agent="carly") == before


async def test_restarted_agent_is_connected_on_request(
    stack: Stack, host: HostClient
) -> None:
    nancy = stack.agents["nancy"]
    async with watch_feed(f"{stack.url}/feed") as reader:
        nancy.terminate()
        await reader.until(
            lambda: connections(reader, "nancy") == ["lost"], "nancy to be lost"
        )
        nancy.start()
        nancy.wait_ready(nancy.ready_url)
        answer = await host.http.post("/agents/nancy:retry")
        assert answer.status_code == 202
        await reader.until(
            lambda: connections(reader, "nancy")[-1] == "connected",
            "nancy to be connected",
            deadline_s=30,
        )
