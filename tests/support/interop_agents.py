"""Runs agents of other SDKs (tests/interop), and checks that the host follows them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from a2a.client.client import ClientConfig
from a2a.client.client_factory import ClientFactory
from a2a.types import a2a_pb2 as pb

from tests.support.harness import ROOT, Server, free_port
from tests.support.host_client import HostClient, Json, client
from tests.support.stack import Stack
from tests.support.waiting import wait_until

INTEROP = ROOT / "tests/interop"
OLD_PYTHON = ROOT / ".venv-0.3/bin/python"
STEP_MS = 50
BINDINGS = {"jsonrpc": "JSONRPC", "rest": "HTTP+JSON", "grpc": "GRPC"}


@contextmanager
def run_host_following(folder: Path, **programs: str) -> Iterator[Stack]:
    """Run a host that follows programs of tests/interop over each of their bindings.

    The program named `jess` is followed as the agents jess-jsonrpc, jess-rest and
    jess-grpc.
    """
    servers = {name: _server(name, file, folder) for name, file in programs.items()}
    urls = {
        f"{name}-{binding}": f"{server.url}/{binding}"
        for name, server in servers.items()
        for binding in BINDINGS
    }
    try:
        for server in servers.values():
            server.start()
        for server in servers.values():
            server.wait_ready(server.ready_url)
        with Stack(folder, (), extra_agents=urls) as stack:
            yield stack
    finally:
        for server in servers.values():
            if server.alive:
                server.kill()


async def check_updates_and_result(host: HostClient, agent: str) -> None:
    task_id = await host.start(agent, "tell")

    row = await host.row_with(task_id, "completed")

    events = await host.history(after=0, task=task_id)
    rows = [event for event in events if event["kind"] == "task"]
    chunks = [event for event in events if event["kind"] == "artifact"]
    assert changes(rows, "status") == ["submitted", "running", "completed"]
    assert changes(rows, "message")[-3:] == ["Looking…", "Half way…", "Done."]
    assert [chunk["append"] for chunk in chunks] == [False, True]
    assert [chunk["last_chunk"] for chunk in chunks] == [False, True]
    assert row["result"] == "One, two."
    assert not [event for event in events if event["kind"] == "gap"]


async def check_reply(host: HostClient, agent: str) -> None:
    task_id = await host.start(agent, "ask")
    asked = await host.row_with(task_id, "input-required")
    assert asked["message"] == "Red or blue?"

    ids = {"taskId": task_id, "contextId": asked["context_id"]}
    assert await host.start(agent, "Red", **ids) == task_id

    row = await host.row_with(task_id, "completed")
    assert row["result"] == "You said Red."
    rows = await host.rows(task_id)
    states = ["submitted", "running", "input-required", "running", "completed"]
    assert changes(rows, "status") == states, rows


async def check_cancel(host: HostClient, agent: str) -> None:
    task_id = await host.start(agent, "wait")
    await host.row_with(task_id, "running")

    answer = await host.cancel(agent, task_id)

    assert answer.status_code == 200, answer.text
    row = await host.row_with(task_id, "cancelled")
    assert row["message"] == "Stopped."
    assert len([r for r in await host.rows(task_id) if r["status"] == "cancelled"]) == 1


async def check_direct_message(host: HostClient, agent: str) -> None:
    answer = await host.send(agent, "hello")

    assert answer.status_code == 200, answer.text
    assert answer.json()["message"]["parts"][0]["text"] == "Hello yourself."

    async def find_message() -> list[Json]:
        return await host.history(after=0, agent=agent, kind="message")

    (event,) = await wait_until(find_message, f"{agent}'s message in the feed")
    assert event["message"] == "Hello yourself."


async def check_failure(host: HostClient, agent: str) -> None:
    task_id = await host.start(agent, "fail")

    row = await host.row_with(task_id, "error")

    assert row["message"] == "It broke."


async def start_without_host(url: str, binding: str) -> str:
    """Start a task directly at an agent of protocol 1.0. Return its id."""
    interface = pb.AgentInterface(
        url=url, protocol_binding=BINDINGS[binding], protocol_version="1.0"
    )
    capabilities = pb.AgentCapabilities(streaming=True)
    card = pb.AgentCard(supported_interfaces=[interface], capabilities=capabilities)
    words = pb.Message(
        message_id="m-1", role=pb.ROLE_USER, parts=[pb.Part(text="tell")]
    )
    async with client() as http:
        config = ClientConfig(
            httpx_client=http,
            grpc_channel_factory=grpc.aio.insecure_channel,
            supported_protocol_bindings=list(BINDINGS.values()),
        )
        async with ClientFactory(config).create(card) as sdk_client:
            request = pb.SendMessageRequest(message=words)
            # Read to the end: live and repaired updates must give the same events.
            responses = [
                response async for response in sdk_client.send_message(request)
            ]
    return responses[0].task.id


def changes(rows: list[Json], key: str) -> list[object]:
    """Return the values of a key in the rows, without repetition."""
    values = [row[key] for row in rows]
    return [now for i, now in enumerate(values) if i == 0 or now != values[i - 1]]


def _server(name: str, program: str, folder: Path) -> Server:
    if program.endswith(".js"):
        runner: str | Path | None = shutil.which("node")
        installed = INTEROP / "node_modules/.installed"
    else:
        runner = OLD_PYTHON
        installed = ROOT / ".venv-0.3/installed"
    if runner is None or not installed.exists():
        pytest.fail(f"{program} is not installed: run scripts/test, which does it once")
    port = free_port()
    return Server(
        name,
        [runner, INTEROP / program, str(port), str(free_port()), str(STEP_MS)],
        folder=folder,
        url=f"http://127.0.0.1:{port}",
        ready_path="/jsonrpc/.well-known/agent-card.json",
    )
