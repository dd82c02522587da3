"""The gRPC binding of an agent with --grpc-port.

Needs the extra `grpc`. The SDK's client calls a real `python -m agents`.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from a2a.client import ClientConfig, ClientFactory
from a2a.client.card_resolver import A2ACardResolver
from a2a.client.client import Client, ClientCallContext
from a2a.helpers.proto_helpers import new_text_message
from a2a.types.a2a_pb2 import (
    CancelTaskRequest,
    GetTaskRequest,
    Role,
    SendMessageRequest,
    StreamResponse,
    SubscribeToTaskRequest,
    TaskState,
)
from a2a.utils.constants import TransportProtocol
from a2a.utils.errors import InvalidParamsError, TaskNotCancelableError

from agents import resumable_stream
from tests.support.a2a_client import agent_at
from tests.support.harness import Process, Server, free_port

grpc = pytest.importorskip("grpc")


@pytest.fixture(scope="module")
def carly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    port, grpc_port = free_port(), free_port()
    server = Server(
        "carly",
        [
            sys.executable,
            "-m",
            "agents",
            "carly",
            "--step-s=0.02",
            f"--port={port}",
            f"--grpc-port={grpc_port}",
        ],
        folder=tmp_path_factory.mktemp("grpc"),
        url=f"http://127.0.0.1:{port}",
        ready_path="/.well-known/agent-card.json",
    )
    server.restart()
    yield server
    assert server.terminate() == 0
    assert "Traceback" not in server.output()


@pytest.fixture
async def client(carly: Server) -> AsyncIterator[Client]:
    """Return the SDK's client, which finds the port on the card."""
    async with agent_at(carly.url) as agent:
        card = await A2ACardResolver(agent.http, carly.url).get_agent_card()
    config = ClientConfig(
        grpc_channel_factory=grpc.aio.insecure_channel,
        supported_protocol_bindings=[TransportProtocol.GRPC],
    )
    async with ClientFactory(config).create(card) as client:
        yield client


def send_request(text: str, **fields: Any) -> SendMessageRequest:
    message = new_text_message(text, role=Role.ROLE_USER, **fields)
    return SendMessageRequest(message=message)


def number_of(event: StreamResponse) -> int:
    payload = event.WhichOneof("payload")
    assert payload is not None
    return resumable_stream.read_number(getattr(event, payload))


async def test_task_is_streamed_and_cannot_be_cancelled_after_its_end(
    client: Client,
) -> None:
    events = [event async for event in client.send_message(send_request("Find a slot"))]
    task_id = events[0].task.id
    assert events[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED
    assert [number_of(event) for event in events] == [*range(1, len(events) + 1)]
    task = await client.get_task(GetTaskRequest(id=task_id))
    assert task.status.message.parts[0].text == "Found 3 available slots for tomorrow!"
    with pytest.raises(TaskNotCancelableError):
        await client.cancel_task(CancelTaskRequest(id=task_id))


async def test_stream_resumes_with_last_event_id_metadata(
    client: Client,
) -> None:
    events = [event async for event in client.send_message(send_request("Find a slot"))]
    request = SubscribeToTaskRequest(id=events[0].task.id)
    last = ClientCallContext(service_parameters={"last-event-id": "3"})
    replayed = [e async for e in client.subscribe(request, context=last)]
    assert replayed == events[3:]


async def test_unavailable_updates_are_out_of_range(client: Client) -> None:
    events = [event async for event in client.send_message(send_request("Find a slot"))]
    request = SubscribeToTaskRequest(id=events[0].task.id)
    ahead = ClientCallContext(service_parameters={"last-event-id": "999"})
    why = "Updates after 999 are no longer stored"
    with pytest.raises(Exception, match=why) as caught:
        async for _ in client.subscribe(request, context=ahead):
            pass
    # The SDK has no error for this status. Its own error has gRPC's as the cause.
    refused = caught.value if isinstance(caught.value, grpc.aio.AioRpcError) else None
    refused = refused or caught.value.__cause__
    assert isinstance(refused, grpc.aio.AioRpcError)
    assert refused.code() is grpc.StatusCode.OUT_OF_RANGE
    details = dict(refused.trailing_metadata() or ())["grpc-status-details-bin"]
    assert b"UPDATES_GONE" in details


async def test_empty_message_is_refused_and_creates_no_task(
    client: Client, carly: Server
) -> None:
    async with agent_at(carly.url) as agent:
        before = await agent.tasks()
        with pytest.raises(InvalidParamsError, match="text is empty"):
            async for _ in client.send_message(send_request(" ")):
                pass
        assert await agent.tasks() == before


def test_port_in_use_is_reported_in_one_line(carly: Server, tmp_path: Path) -> None:
    taken = carly.url.rsplit(":")[-1]
    arguments = ["walter", f"--port={free_port()}", f"--grpc-port={taken}"]
    process = Process(
        "walter", [sys.executable, "-m", "agents", *arguments], folder=tmp_path
    )
    process.start()
    assert process.wait_end() == 1
    assert process.output() == (
        f"walter: --grpc-port {taken} cannot be used (Address already in use); "
        "choose another\n"
    )


def test_missing_grpcio_is_reported_with_the_install_command(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *a: None if name == 'grpc' else find(name, *a)\n"
    )
    arguments = ["carly", f"--port={free_port()}", f"--grpc-port={free_port()}"]
    process = Process(
        "carly",
        [sys.executable, "-m", "agents", *arguments],
        folder=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
    )
    process.start()
    assert process.wait_end() == 1
    assert process.output() == (
        "carly: --grpc-port needs the package grpcio, which is not installed; "
        "install it with: pip install 'courtside[grpc]'\n"
    )
