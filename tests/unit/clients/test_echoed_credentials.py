"""Tests that bindings redact the credentials in what an agent sends.

host/clients/bindings/echoes.py. For the whole host, see
tests/integration/test_host_echoed_credentials.py.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from a2a.types import a2a_pb2 as pb
from a2a.types.a2a_pb2_grpc import A2AServiceServicer, add_A2AServiceServicer_to_server
from a2a.utils.errors import A2AError

from host.clients.bindings.base import Binding
from host.clients.bindings.selection import open_binding
from host.clients.bindings.types import Interface, Update
from host.clients.credentials import Credentials
from host.clients.rate_limit import RateLimiter
from host.config.agent_settings import AgentSettings, CredentialSettings
from host.errors import AgentUnreachable
from tests.support.binding_server import (
    PROTOCOLS,
    SECRET,
    SSE,
    STATUS,
    TASK,
    connect_to,
    event,
    open_agent,
    read_batches,
    read_cause,
)
from tests.support.canned_server import CannedServer, http_response

Json = dict[str, Any]
TEXT = f"before {SECRET} after"
HIDDEN = "before [credential] after"
ECHO: Json = {"statusUpdate": STATUS | {"metadata": {"text": TEXT}}}
LONG = "x" * 300_000
# Error texts are cut after some characters. Wherever that is, it is inside of a secret.
MANY = SECRET * 100


async def read_all(binding: Binding) -> list[Update]:
    found = [batch async for batch in binding.subscribe("t", None)]
    return [update for batch in found for update in batch.updates]


def texts(updates: list[Update]) -> list[str]:
    return [json.loads(one.raw)["statusUpdate"]["metadata"]["text"] for one in updates]


async def test_streamed_update_is_redacted_and_its_neighbors_are_unchanged() -> None:
    plain: Json = {"statusUpdate": STATUS | {"metadata": {"text": "50% \u00e9 %20"}}}

    batches = await read_batches(event(plain), event(ECHO), event(plain))
    found = [update for batch in batches for update in batch.updates]

    assert texts(found) == ["50% é %20", HIDDEN, "50% é %20"]
    assert json.dumps(plain).encode() == found[0].raw == found[2].raw


async def test_large_update_is_redacted() -> None:
    large: Json = {"statusUpdate": STATUS | {"metadata": {"text": LONG + TEXT}}}

    batches = await read_batches(event(large), event(ECHO))

    found = [update for batch in batches for update in batch.updates]
    assert texts(found) == [LONG + HIDDEN, HIDDEN]


async def test_update_in_nonstandard_json_is_redacted() -> None:
    """Trailing commas and wrong UTF-8, and each letter of the secret escaped."""
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in SECRET).encode()
    metadata = b'"metadata": {"text": "before %b after", "a": [1, ],}' % escaped
    status = json.dumps(STATUS).encode()[:-1] + b', "b": "\xff%b", ' % (b"x" * 300_000)
    data = b'data: {"result": {"statusUpdate": %b%b}}}\n\n' % (status, metadata)

    (batch,) = await read_batches(data)

    assert texts(batch.updates) == [HIDDEN]


async def test_secret_that_arrives_byte_by_byte_is_redacted() -> None:
    async def handle(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 X\r\nContent-Type: %b\r\n\r\n" % SSE.encode())
        for byte in event(ECHO):
            writer.write(bytes((byte,)))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, connect_to(url) as transport:
        interface, card = Interface("JSONRPC", "1.0", url), pb.AgentCard()
        async with open_binding(interface, card, transport, RateLimiter()) as binding:
            assert texts(await read_all(binding)) == [HIDDEN]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("length", [0, 300_000])
async def test_task_is_redacted(protocol: tuple[str, str], length: int) -> None:
    task: Json = TASK | {"metadata": {"text": TEXT + "x" * length}}
    task["status"] = {
        "state": "working" if protocol[1] == "0.3" else "TASK_STATE_WORKING"
    }
    body = {"result": {"kind": "task", **task}} if "RPC" in protocol[0] else task
    agent = CannedServer(http_response(json.dumps(body).encode()))

    async with open_agent(agent, *protocol) as binding:
        update = await binding.get_task("t")

    found = json.loads(update.raw)["task"]["metadata"]["text"]
    assert found == HIDDEN + "x" * length


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("status", [200, 400, 500])
async def test_no_part_of_a_secret_in_a_long_error_is_revealed(
    protocol: tuple[str, str], status: int
) -> None:
    error = {"error": {"code": -32000, "message": MANY}}
    for body in (json.dumps(error), MANY, json.dumps([MANY])):
        agent = CannedServer(http_response(body.encode(), status=status))
        async with open_agent(agent, *protocol) as binding:
            with pytest.raises((AgentUnreachable, A2AError)) as raised:
                await binding.get_task("t")
        assert SECRET[:6] not in str(raised.value)


async def test_no_part_of_a_secret_in_a_bad_stream_is_revealed() -> None:
    for kind in ("text/plain", MANY):
        answer = http_response(MANY.encode(), kind)
        assert SECRET[:6] not in await read_cause(answer, PROTOCOLS[0])


@pytest.mark.parametrize(
    ("headers", "text", "shown"),
    [
        ({"X-Team": "production"}, "in production", "in production"),
        ({"X-Auth": "production"}, "in production", "in [credential]"),
        ({"X-Key": f"Bearer {SECRET}"}, f"got {SECRET}", "got [credential]"),
        ({"X-Id": "blue 12345"}, "12345, blue 12345", "12345, [credential]"),
        ({"Authorization": "Basic bWU6aHVudGVyMg=="}, "hunter2", "[credential]"),
    ],
)
def test_values_of_headers_are_secrets_unless_they_are_words(
    headers: dict[str, str], text: str, shown: str
) -> None:
    own = CredentialSettings(headers=headers)
    credentials = Credentials(AgentSettings("http://a", credentials=own))

    for secrets in credentials.secrets:
        text = secrets.redact(text)
    assert text == shown


class EchoingServicer(A2AServiceServicer):
    """Returns the credentials in a task, in updates and in an error."""

    async def GetTask(self, _: Any, context: grpc.aio.ServicerContext) -> pb.Task:
        text = dict(context.invocation_metadata())["authorization"] * 100
        await context.abort(grpc.StatusCode.INTERNAL, text)
        raise AssertionError

    async def SubscribeToTask(
        self, _: Any, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.StreamResponse]:
        text = dict(context.invocation_metadata())["authorization"]
        status = pb.TaskStatusUpdateEvent(task_id="t", context_id="c")
        status.metadata.update({"text": f"before {text.split()[1]} after"})
        yield pb.StreamResponse(status_update=status)


@asynccontextmanager
async def open_echoing_grpc() -> AsyncIterator[Binding]:
    server = grpc.aio.server()
    servicer = EchoingServicer()
    add_A2AServiceServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        async with connect_to(url) as transport:
            interface, card = Interface("GRPC", "1.0", url), pb.AgentCard()
            async with open_binding(interface, card, transport, RateLimiter()) as grpc_:
                yield grpc_
    finally:
        await server.stop(None)


async def test_grpc_agent_is_redacted() -> None:
    async with open_echoing_grpc() as binding:
        assert texts(await read_all(binding)) == [HIDDEN]
        with pytest.raises(AgentUnreachable) as raised:
            await binding.get_task("t")

    assert SECRET[:6] not in str(raised.value)
