"""Agents that ask for a pause over gRPC get no requests meanwhile."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer

import grpc
import pytest
from a2a.types import a2a_pb2 as pb
from a2a.types.a2a_pb2_grpc import A2AServiceServicer, add_A2AServiceServicer_to_server
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from host.clients.bindings.base import Binding
from host.clients.bindings.selection import open_binding
from host.clients.bindings.types import Interface, Query
from host.clients.rate_limit import RateLimiter
from host.clients.throttle import PAUSE_S, TOO_MANY_REQUESTS, Throttle
from host.errors import AgentUnreachable
from tests.support.binding_server import connect_to
from tests.support.card_server import card_server, card_with, interface
from tests.support.host_client import host_at, watch_feed
from tests.support.stack import Stack
from tests.support.waiting import wait_until

EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
INTERNAL = grpc.StatusCode.INTERNAL
LARGE = "SERVER: Received message larger than max (9 vs. 8)"
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, SETTINGS = 1, 4
END_STREAM = 0x5  # And END_HEADERS.
Trailers = Sequence[tuple[str, str | bytes]]


def retry_info(code: grpc.StatusCode, pause_s: int) -> Trailers:
    """Return the trailer of google.rpc.RetryInfo."""
    status = status_pb2.Status(code=code.value[0], message="slow down")
    delay = Duration(seconds=pause_s)
    status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    return [("grpc-status-details-bin", status.SerializeToString())]


def http2_frame(kind: int, body: bytes, flags: int = 0, stream: int = 0) -> bytes:
    head = len(body).to_bytes(3, "big") + bytes([kind, flags])
    return head + stream.to_bytes(4, "big") + body


class RefusingAgent(A2AServiceServicer):
    """Refuses `refusals` requests, and records when each request came."""

    def __init__(
        self,
        code: grpc.StatusCode = EXHAUSTED,
        trailers: Trailers = (),
        details: str = "slow down",
    ) -> None:
        self.refusals = 1
        self.asked_s: list[float] = []
        self._refusal = code, details, tuple(trailers)

    async def ListTasks(
        self, request: pb.ListTasksRequest, context: grpc.aio.ServicerContext
    ) -> pb.ListTasksResponse:
        await self._take(context)
        return pb.ListTasksResponse()

    async def SubscribeToTask(
        self, request: pb.SubscribeToTaskRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[pb.StreamResponse]:
        await self._take(context)
        yield pb.StreamResponse(task=pb.Task(id=request.id))

    async def _take(self, context: grpc.aio.ServicerContext) -> None:
        self.asked_s.append(time.monotonic())
        if self.refusals:
            self.refusals -= 1
            await context.abort(*self._refusal)


@asynccontextmanager
async def serve(agent: RefusingAgent) -> AsyncIterator[str]:
    server = grpc.aio.server()
    add_A2AServiceServicer_to_server(agent, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


@asynccontextmanager
async def open_agent(url: str) -> AsyncIterator[tuple[Binding, Throttle]]:
    async with connect_to(f"http://{url}") as transport:
        opening = open_binding(
            Interface("GRPC", "1.0", url), pb.AgentCard(), transport, RateLimiter()
        )
        async with opening as binding:
            yield binding, transport.throttle


@pytest.mark.parametrize(
    ("code", "trailers", "pause_s"),
    [
        (EXHAUSTED, [], PAUSE_S[0]),
        (EXHAUSTED, retry_info(EXHAUSTED, 17), 17),
        (EXHAUSTED, [("retry-after", "23")], 23),
        (EXHAUSTED, [("grpc-retry-pushback-ms", "31000")], 31),
        (EXHAUSTED, [("grpc-retry-pushback-ms", "-1")], PAUSE_S[0]),
        (EXHAUSTED, [("grpc-status-details-bin", b"\xff\xff")], PAUSE_S[0]),
        (UNAVAILABLE, retry_info(UNAVAILABLE, 17), 17),
        (UNAVAILABLE, [("retry-after", "23")], 23),
        (UNAVAILABLE, [("grpc-retry-pushback-ms", "31000")], 31),
        (INTERNAL, retry_info(INTERNAL, 19), 19),
        (UNAVAILABLE, [], 0),
        (INTERNAL, [], 0),
    ],
)
async def test_pause_is_as_long_as_the_agent_asks(
    code: grpc.StatusCode, trailers: Trailers, pause_s: float
) -> None:
    async with (
        serve(RefusingAgent(code, trailers)) as url,
        open_agent(url) as (binding, throttle),
    ):
        with pytest.raises(AgentUnreachable) as raised:
            await binding.list_tasks(Query())
        remaining_s = throttle.remaining_s

    assert pause_s - 1.5 < remaining_s <= pause_s
    asks = f"gRPC {code.name}: it asks the host to wait {pause_s:.0f} s"
    assert (asks in str(raised.value)) == (pause_s > 0)
    is_limit = raised.value.agent_status == TOO_MANY_REQUESTS
    assert is_limit == (code is EXHAUSTED)


async def test_refused_stream_starts_a_pause() -> None:
    agent = RefusingAgent(EXHAUSTED, [("retry-after", "23")])
    async with serve(agent) as url, open_agent(url) as (binding, throttle):
        with pytest.raises(AgentUnreachable, match="wait 23 s"):
            async for _ in binding.subscribe("t", None):
                pass
        assert throttle.remaining_s > 20


async def test_message_over_a_size_limit_starts_no_pause() -> None:
    agent = RefusingAgent(EXHAUSTED, details=LARGE)
    async with serve(agent) as url, open_agent(url) as (binding, throttle):
        with pytest.raises(AgentUnreachable, match=r"too large: .*9 vs\. 8"):
            await binding.list_tasks(Query())
        assert throttle.remaining_s == 0


class LimitingProxy(StreamRequestHandler):
    """Answers the first request of a connection with HTTP 429."""

    def handle(self) -> None:
        self.wfile.write(http2_frame(SETTINGS, b""))
        self.rfile.read(len(HTTP2_PREFACE))
        kind = SETTINGS
        while kind != HEADERS:
            head = self.rfile.read(9)
            kind = head[3]
            self.rfile.read(int.from_bytes(head[:3], "big"))
        fields = b"\x08\x03429"  # `:status: 429` in HPACK (RFC 7541).
        self.wfile.write(http2_frame(HEADERS, fields, END_STREAM, stream=1))
        self.connection.shutdown(socket.SHUT_WR)
        self.rfile.read()


async def test_rate_limit_of_a_proxy_starts_a_pause() -> None:
    proxy = ThreadingTCPServer(("127.0.0.1", 0), LimitingProxy)
    thread = threading.Thread(target=proxy.serve_forever, args=[0.05])
    thread.start()
    url = f"127.0.0.1:{proxy.server_address[1]}"
    try:
        async with open_agent(url) as (binding, throttle):
            with pytest.raises(AgentUnreachable) as raised:
                await binding.list_tasks(Query())
            # grpcio does not pass on a Retry-After.
            assert 0 < throttle.remaining_s <= PAUSE_S[0]
    finally:
        proxy.shutdown()
        thread.join()
        # It waits until grpcio, which needs the event loop, has left.
        await asyncio.to_thread(proxy.server_close)
    assert raised.value.agent_status == TOO_MANY_REQUESTS


async def test_host_sends_nothing_during_the_pause(tmp_path: Path) -> None:
    agent = RefusingAgent(EXHAUSTED, retry_info(EXHAUSTED, 4))
    agent.refusals = 0
    async with serve(agent) as url:
        card = card_with(interface("GRPC", "1.0", url))
        with (
            card_server({"/.well-known/agent-card.json": card}) as cards,
            Stack(
                tmp_path, [], extra_agents={"agent": cards.url}, log="memory"
            ) as stack,
        ):
            await asyncio.to_thread(stack.wait_connected, "agent")
            async with host_at(stack.url) as host, watch_feed(f"{stack.url}/feed"):
                before = len(agent.asked_s)
                agent.refusals = 1
                await wait_until(
                    lambda: len(agent.asked_s) >= before + 2, "two requests", 30
                )
                rows = await host.history(after=0, agent="agent", kind="agent")

    refused_s, next_s = agent.asked_s[before : before + 2]
    assert 3.5 < next_s - refused_s < 7
    troubles = [str(row["trouble"]) for row in rows]
    assert any("wait until" in t and "RESOURCE_EXHAUSTED" in t for t in troubles)
    assert {row["connection"] for row in rows} <= {"connecting", "connected"}
