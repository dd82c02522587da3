"""Tests the errors that the HTTP bindings raise, and the causes that they name.

A server in this process sends the exact bytes of each response.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import (
    A2AError,
    MethodNotFoundError,
    TaskNotFoundError,
)

from host.clients.bindings.json_errors import UpdatesGone
from host.clients.bindings.selection import open_binding
from host.clients.bindings.types import Interface, UnsupportedInterface
from host.clients.bindings.unreachable_errors import CARD, describe_cause
from host.clients.rate_limit import RateLimiter
from host.errors import AgentUnreachable
from tests.support.binding_server import (
    GONE,
    PROTOCOLS,
    SECRET,
    SSE,
    connect_to,
    open_agent,
    read_cause,
    stream,
)
from tests.support.canned_server import CannedServer, http_response, serve


async def test_updates_gone_has_the_available_numbers() -> None:
    refusal = http_response(json.dumps({"error": GONE}).encode())
    async with open_agent(CannedServer(refusal)) as binding:
        with pytest.raises(UpdatesGone) as raised:
            await anext(binding.subscribe("t", 1))
    assert raised.value.data == {"oldest": "2", "newest": "9"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_invalid_response_makes_the_agent_unreachable_with_the_cause(
    protocol: tuple[str, str],
) -> None:
    for answer, words in {
        http_response(b"<html>", "text/html"): "bad response: text/html",
        http_response(b"", SSE, 500): "HTTP 500",
        http_response(b"no", "text/plain", 403): "HTTP 403",
        http_response(b"x" * 9 * 1024 * 1024): "bad response: application/json",
        http_response(b"x" * 9 * 1024 * 1024, status=500): "too large: over 8 MiB",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\nx": "encoded as br",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nxyz": "bad response: Error",
        b"HTTP/1.1 302 X\r\nLocation: https://evil.example/x\r\n\r\n": (
            "HTTP 302: it redirects to https://evil.example"
        ),
        b"HTTP/1.1 302 X\r\nLocation: http://[::\r\n\r\n": "Invalid URL in location",
        b"": "connection broken: ",
        b"SSH-2.0 hello\r\n\r\n": "connection broken: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Type: "
        b"text/event-stream\r\n\r\ndata:": "connection broken: ",
    }.items():
        cause = await read_cause(answer, protocol)
        assert words in cause
        assert "scenario, SubscribeToTask at http://127.0.0.1" in cause


async def test_cause_distinguishes_refused_connection_and_unknown_host() -> None:
    async with connect_to("http://127.0.0.1:1") as transport:
        for url, words in {
            "http://127.0.0.1:1/": "connection refused",
            "http://nobody.invalid/": "DNS: no such host",
            "ftp://127.0.0.1/": "bad URL: ",
            "http://[::": "bad URL: ",
            "nonsense": "bad URL: ",
        }.items():
            interface = Interface("JSONRPC", "1.0", url)
            async with open_binding(
                interface, pb.AgentCard(), transport, RateLimiter()
            ) as binding:
                with pytest.raises(AgentUnreachable, match=words):
                    await binding.reach()
                with pytest.raises(AgentUnreachable, match=words):
                    await binding.get_task("t")


async def test_cause_names_tls_if_the_server_has_none() -> None:
    agent = CannedServer(http_response(b""))
    agent.sends_first = True
    async with serve(agent) as url, connect_to(url) as transport:
        secure = url.replace("http:", "https:")
        interface = Interface("JSONRPC", "1.0", secure)
        async with open_binding(
            interface, pb.AgentCard(), transport, RateLimiter()
        ) as binding:
            with pytest.raises(AgentUnreachable, match="TLS: "):
                await binding.reach()


async def test_slow_response_ends_at_the_deadline() -> None:
    agent = CannedServer(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")
    agent.keeps_open = True
    async with serve(agent) as url, connect_to(url) as transport:
        timeout = pytest.raises(AgentUnreachable, match="timeout: no response in time")
        with timeout, transport.map_errors("GetTask", url):
            request = transport.call_client.build_request("GET", url)
            async with transport.call(request, deadline_s=0.1):
                pass


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_bare_404_means_missing_operation_or_task(
    protocol: tuple[str, str],
) -> None:
    async with open_agent(
        CannedServer(http_response(b"", status=404)), *protocol
    ) as binding:
        if protocol[0] == "JSONRPC":
            with pytest.raises(AgentUnreachable, match="HTTP 404"):
                await binding.cancel("t")
        else:
            with pytest.raises(TaskNotFoundError):
                await binding.get_task("t")
            with pytest.raises(MethodNotFoundError):
                await binding.cancel("t")
            with pytest.raises(MethodNotFoundError):
                await anext(binding.subscribe("t", None))


async def test_error_is_read_with_any_http_status() -> None:
    rpc = http_response(b'{"error": {"code": -32001, "message": "x"}}', status=500)
    async with open_agent(CannedServer(rpc)) as binding:
        with pytest.raises(TaskNotFoundError):
            await binding.get_task("t")
    for body in (
        {"error": {"code": 410, "details": GONE["data"]}},
        {"type": "https://a2a-protocol.org/errors/updates-gone", "title": "x"},
        {"code": -31410, "message": "x"},
    ):
        gone = http_response(json.dumps(body).encode(), status=410)
        async with open_agent(CannedServer(gone), "HTTP+JSON") as binding:
            with pytest.raises(UpdatesGone):
                await anext(binding.subscribe("t", 1))


async def test_secret_in_an_agents_error_is_redacted() -> None:
    for body in (
        {"error": {"code": -32603, "message": f"bad token {SECRET}"}},
        {"error": {"code": 7, "message": f"bad token {SECRET}"}},
    ):
        async with open_agent(
            CannedServer(http_response(json.dumps(body).encode()))
        ) as binding:
            with pytest.raises((A2AError, AgentUnreachable)) as raised:
                await binding.get_task("t")
            assert SECRET not in str(raised.value)
            assert "[credential]" in str(raised.value)


async def test_invalid_task_id_raises_agent_unreachable() -> None:
    for protocol in PROTOCOLS:
        async with open_agent(CannedServer(stream()), *protocol) as binding:
            with pytest.raises(AgentUnreachable):
                await binding.get_task("\ud800")
            with pytest.raises(AgentUnreachable):
                await anext(binding.subscribe("\ud800", None))


async def test_unsupported_interface_is_named_in_the_error() -> None:
    async with connect_to("http://127.0.0.1:1") as transport:
        for binding, version in (("SOAP", "1.0"), ("JSONRPC", "7.1")):
            interface = Interface(binding, version, "http://127.0.0.1:1")
            with pytest.raises(UnsupportedInterface, match=f"{binding} {version}"):
                open_binding(interface, pb.AgentCard(), transport, RateLimiter())


def test_connection_reset_while_opening_is_not_a_bad_card() -> None:
    """Then anyio asks a closed socket for its address."""
    gone: Any = None
    try:
        gone.getpeername()
    except AttributeError as error:
        assert describe_cause(error, CARD) == "connection broken: it was closed"
