"""The host uses every binding in both versions, and chooses among a card's interfaces.

A real agent offers all of them. The cards of this test name some of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.card_server import Json, card_server, card_with, interface
from tests.support.harness import Server, free_port
from tests.support.host_client import HostClient, host_at
from tests.support.stack import Stack
from tests.support.waiting import wait_until

pytest.importorskip("grpc")

WELL_KNOWN = "/.well-known/agent-card.json"
DEAD = "http://127.0.0.1:1/"


@pytest.fixture(scope="module")
def nancy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    port, grpc_port = free_port(), free_port()
    server = Server(
        "nancy",
        [
            sys.executable,
            "-m",
            "agents",
            "nancy",
            "--step-s=0.02",
            f"--port={port}",
            f"--grpc-port={grpc_port}",
        ],
        folder=tmp_path_factory.mktemp("nancy"),
        url=f"http://127.0.0.1:{port}",
        ready_path=WELL_KNOWN,
        env={"GRPC": f"127.0.0.1:{grpc_port}"},
    )
    server.restart()
    yield server
    server.terminate()


def interfaces_of(nancy: Server) -> dict[str, Json]:
    """Return each interface, by the name of the agent whose card has only that one."""
    return {
        "jsonrpc": interface("JSONRPC", "1.0", f"{nancy.url}/"),
        "rest": interface("HTTP+JSON", "1.0", nancy.url),
        "grpc": interface("GRPC", "1.0", nancy.env["GRPC"]),
        "grpc-scheme": interface("GRPC", "1.0", f"http://{nancy.env['GRPC']}"),
        "jsonrpc-old": interface("JSONRPC", "0.3", f"{nancy.url}/"),
        "rest-old": interface("HTTP+JSON", "0.3", nancy.url),
    }


def cards_of(nancy: Server) -> dict[str, Json]:
    """Return the card of each agent, by its path."""
    by_name = interfaces_of(nancy)
    cards = {
        f"/{name}{WELL_KNOWN}": card_with(interface)
        for name, interface in by_name.items()
    }
    dead = interface("JSONRPC", "1.0", DEAD)
    gopher = interface("GOPHER", "1.0", nancy.url)
    cards[f"/fallback{WELL_KNOWN}"] = card_with(dead, gopher, by_name["rest"])
    cards[f"/prefers{WELL_KNOWN}"] = card_with(by_name["grpc"], by_name["jsonrpc"])
    cards["/elsewhere/me.json"] = card_with(by_name["rest"])
    cards[f"/poller{WELL_KNOWN}"] = card_with(by_name["jsonrpc"], streaming=False)
    # Version 0.3: another form, at the older path.
    cards["/old-card/.well-known/agent.json"] = {
        "protocolVersion": "0.3.0",
        "name": "Somebody old",
        "description": "Has a card of 0.3.",
        "url": f"{nancy.url}/",
        "preferredTransport": "JSONRPC",
        "version": "1",
        "capabilities": {"streaming": True},
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": [],
    }
    return cards


NAMES = (
    "jsonrpc",
    "rest",
    "grpc",
    "grpc-scheme",
    "jsonrpc-old",
    "rest-old",
    "fallback",
    "prefers",
    "poller",
    "old-card",
)


@pytest.fixture(scope="module")
def stack(nancy: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("interfaces")
    with card_server(cards_of(nancy)) as cards:
        urls = {name: f"{cards.url}/{name}" for name in NAMES}
        urls["elsewhere"] = f"{cards.url}/elsewhere/me.json"
        with Stack(folder, [], extra_agents=urls, log="memory") as running:
            running.wait_connected(*urls)
            yield running


async def wait_for_status(
    host: HostClient, agent: str, task_id: str, status: str
) -> Json:
    """Wait for a status of the task over this agent. The others see the task too."""

    async def found() -> Json | None:
        rows = await host.history(after=0, agent=agent, task=task_id, kind="task")
        return next((row for row in rows if row["status"] == status), None)

    row = await wait_until(found, f"{agent} to say {status}", 30)
    assert row
    return row


@pytest.mark.parametrize("agent", [*NAMES, "elsewhere"])
async def test_task_is_started_answered_and_followed_to_its_end(
    host: HostClient, agent: str
) -> None:
    task_id = await host.start(agent, "Invite everyone to the game")
    asking = await wait_for_status(host, agent, task_id, "input-required")
    await host.start(agent, "Send", taskId=task_id, contextId=asking["context_id"])
    done = await wait_for_status(host, agent, task_id, "completed")

    assert done["result"]
    assert done["context_id"] == asking["context_id"]


@pytest.mark.parametrize("agent", [*NAMES, "elsewhere"])
async def test_task_is_cancelled(host: HostClient, agent: str) -> None:
    task_id = await host.start(agent, "Invite everyone to the game")
    await wait_for_status(host, agent, task_id, "input-required")

    answer = await host.cancel(agent, task_id)

    assert answer.json()["status"]["state"] == "TASK_STATE_CANCELED"
    await wait_for_status(host, agent, task_id, "cancelled")


@pytest.mark.parametrize(
    ("agent", "binding", "protocol"),
    [
        ("jsonrpc", "JSONRPC", "1.0"),
        ("rest", "HTTP+JSON", "1.0"),
        ("grpc", "GRPC", "1.0"),
        ("jsonrpc-old", "JSONRPC", "0.3"),
        ("rest-old", "HTTP+JSON", "0.3"),
        ("old-card", "JSONRPC", "0.3"),
        ("prefers", "GRPC", "1.0"),
        ("fallback", "HTTP+JSON", "1.0"),
    ],
)
async def test_agents_row_names_the_binding_and_version(
    host: HostClient, agent: str, binding: str, protocol: str
) -> None:
    row = await host.agent(agent)

    assert (row["binding"], row["protocol"]) == (binding, protocol)
    assert row["interface_url"]
    assert row["followed"] == "streaming"


async def test_row_of_an_agent_without_streaming_says_polling(
    host: HostClient,
) -> None:
    assert (await host.agent("poller"))["followed"] == "polling every 1 s"


async def test_row_of_an_agent_without_list_tasks_says_so(host: HostClient) -> None:
    new, old = await host.agent("jsonrpc"), await host.agent("jsonrpc-old")

    assert new["discovery"] == "every task"
    assert old["discovery"] == "only tasks that pass through this host"


async def test_changed_card_is_used(nancy: Server, tmp_path: Path) -> None:
    by_name = interfaces_of(nancy)
    path = f"/changing{WELL_KNOWN}"
    with card_server({path: card_with(by_name["jsonrpc-old"])}) as cards:
        urls = {"changing": f"{cards.url}/changing"}
        with Stack(tmp_path, [], extra_agents=urls, log="memory") as stack:
            stack.wait_connected("changing")
            cards.cards[path] = card_with(by_name["rest"], name="Somebody new")
            async with host_at(stack.url) as host:

                async def changed() -> bool:
                    row = await host.agent("changing")
                    return row["title"] == "Somebody new" and bool(row["binding"])

                await wait_until(changed, "the new card", 30)
                row = await host.agent("changing")
                rows = await host.history(after=0, agent="changing", kind="agent")

    assert row["binding"] == "HTTP+JSON"
    assert "lost" not in [row["connection"] for row in rows]
