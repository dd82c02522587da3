"""Opens a binding to an agent that answers with exact bytes, and reads from it."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from a2a.types import a2a_pb2 as pb

from host.clients.bindings.base import Binding
from host.clients.bindings.http_transport import HttpTransport
from host.clients.bindings.selection import open_binding
from host.clients.bindings.types import Batch, Interface
from host.clients.credentials import Credentials
from host.clients.rate_limit import RateLimiter
from host.config.agent_settings import AgentSettings, CredentialSettings
from host.errors import AgentUnreachable
from tests.support.canned_server import CannedServer, http_response, serve

Json = dict[str, Any]
PROTOCOLS = [
    ("JSONRPC", "1.0"),
    ("HTTP+JSON", "1.0"),
    ("JSONRPC", "0.3"),
    ("HTTP+JSON", "0.3"),
]
SECRET = "s3cret-of-the-host"
SSE = "text/event-stream"
STATUS = {"taskId": "t", "contextId": "c", "status": {"state": "TASK_STATE_WORKING"}}
UPDATE = {"statusUpdate": STATUS}
TASK = {"id": "t", "contextId": "c", "status": {"state": "TASK_STATE_WORKING"}}
GONE = {
    "code": -31410,
    "message": "gone",
    "data": [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "UPDATES_GONE",
            "metadata": {"oldest": "2", "newest": "9"},
        }
    ],
}


def event(result: Json) -> bytes:
    return b"data: " + json.dumps({"result": result}).encode() + b"\n\n"


def stream(*events: bytes) -> bytes:
    return http_response(b"".join(events), SSE)


def create_message() -> pb.SendMessageRequest:
    parts = [pb.Part(text="hello")]
    message = pb.Message(message_id=uuid.uuid4().hex, role=pb.ROLE_USER, parts=parts)
    return pb.SendMessageRequest(message=message)


@asynccontextmanager
async def connect_to(url: str) -> AsyncIterator[HttpTransport]:
    settings = AgentSettings(url, credentials=CredentialSettings(bearer=SECRET))
    async with HttpTransport("scenario", Credentials(settings)) as transport:
        yield transport


@asynccontextmanager
async def open_agent(
    agent: CannedServer,
    binding: str = "JSONRPC",
    version: str = "1.0",
    card: pb.AgentCard | None = None,
    tenant: str = "",
) -> AsyncIterator[Binding]:
    async with serve(agent) as url, connect_to(url) as transport:
        interface = Interface(binding, version, url, tenant)
        async with open_binding(
            interface, card or pb.AgentCard(), transport, RateLimiter()
        ) as opened:
            yield opened


async def read_batches(*events: bytes) -> list[Batch]:
    """Return the batches of a JSON-RPC stream of those events."""
    async with open_agent(CannedServer(stream(*events))) as binding:
        return [batch async for batch in binding.subscribe("t", None)]


async def read_cause(answer: bytes, protocol: tuple[str, str]) -> str:
    """Return why an agent with that response to a subscription is unreachable."""
    async with open_agent(CannedServer(answer), *protocol) as binding:
        with pytest.raises(AgentUnreachable) as raised:
            async for _ in binding.subscribe("t", None):
                pass
    return str(raised.value)
