"""Tests that the host connects only to addresses that it has checked.

host/clients/http_client.py, with a fake resolver and a real server.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import Any

import aiohttp
import anyio
import httpx
import pytest
from aiohttp.client_proto import ResponseHandler
from anyio.abc import SocketStream

from host.clients.address_check import addresses
from host.clients.http_client import client
from host.errors import AgentUnreachable
from tests.support.harness import free_port
from tests.support.reply_server import reply_server
from tests.support.resolver import resolving

# How long gunicorn keeps an idle connection, the shortest time of common servers.
KEPT_S = 2.0


async def get(url: str, *, public_only: bool = False) -> httpx.Response:
    timeout = httpx.Timeout(5)
    async with client(timeout, public_only=public_only) as http:
        return await http.get(url)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "fe80::1%2",
        "::ffff:169.254.169.254",
        "fd00:ec2::254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "168.63.129.16",
        "fd20:ce::254",
        "64:ff9b:1::a9fe:a9fe",
        "::ffff:0:a9fe:a9fe",
        "::169.254.169.254",
    ],
)
@pytest.mark.parametrize("beside", [[], ["127.0.0.1"]])
async def test_nothing_is_sent_to_a_forbidden_address(
    address: str, beside: list[str]
) -> None:
    refused = pytest.raises(AgentUnreachable, match="link-local or metadata")
    with reply_server() as agent, resolving([*beside, address]), refused:
        await get(f"http://agent.example:{agent.port}")

    assert agent.requests == []


async def test_name_is_looked_up_only_once_for_a_connection() -> None:
    with (
        reply_server() as agent,
        resolving(["127.0.0.1"], ["169.254.169.254"]) as resolver,
    ):
        answer = await get(f"http://agent.example:{agent.port}")

    assert answer.status_code == 200
    assert resolver.asked == 1


async def test_new_address_of_a_name_is_checked_again() -> None:
    with reply_server() as agent, resolving(["127.0.0.1"], ["169.254.169.254"]):
        await get(f"http://agent.example:{agent.port}")
        with pytest.raises(AgentUnreachable, match="link-local or metadata"):
            await get(f"http://agent.example:{agent.port}")

    assert len(agent.requests) == 1


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "100.64.0.1", "0.0.0.0"],
)
async def test_public_only_client_refuses_private_addresses(
    address: str,
) -> None:
    refused = pytest.raises(AgentUnreachable, match=f"private address {address}")
    with reply_server() as agent, resolving([address]), refused:
        await get(f"http://agent.example:{agent.port}", public_only=True)

    assert agent.requests == []


LOCAL_SPELLINGS = ["127.0.0.1", "2130706433", "127.1", "0x7f000001", "0177.1"]


@pytest.mark.parametrize("host", [*LOCAL_SPELLINGS, "[::ffff:127.0.0.1]"])
async def test_address_in_a_url_is_checked_in_any_spelling(host: str) -> None:
    with (
        reply_server() as agent,
        pytest.raises(AgentUnreachable, match="private address"),
    ):
        await get(f"http://{host}:{agent.port}", public_only=True)

    assert agent.requests == []


@pytest.mark.parametrize("host", LOCAL_SPELLINGS)
async def test_address_in_any_spelling_works_where_it_is_allowed(host: str) -> None:
    with reply_server() as agent:
        answer = await get(f"http://{host}:{agent.port}")

    assert answer.status_code == 200
    assert agent.requests[0].headers["host"] == f"{host}:{agent.port}"


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111"])
async def test_public_addresses_are_allowed(address: str) -> None:
    with resolving([address]):
        assert await addresses("agent.example", 80, True) == [address]


async def test_next_address_is_tried_if_one_fails() -> None:
    with reply_server() as agent, resolving(["::1", "127.0.0.2", "127.0.0.1"]):
        answer = await get(f"http://agent.example:{agent.port}")

    assert answer.status_code == 200


async def test_unknown_host_is_a_connect_error() -> None:
    def none(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", none)
        with pytest.raises(httpx.ConnectError, match="Name or service not known"):
            await get("http://agent.example")


async def test_refused_connection_is_a_connect_error() -> None:
    with pytest.raises(httpx.ConnectError):
        await get(f"http://localhost:{free_port()}")


async def test_request_is_not_lost_when_the_agent_closes_an_idle_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def once(stream: SocketStream) -> None:
        """Close the connection before the next request."""
        async with stream:
            await stream.receive()
            await stream.send(b"HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n")
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                await stream.receive()

    port = free_port()
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
    clock, ahead_s = time.monotonic, 0.0
    monkeypatch.setattr("aiohttp.connector.monotonic", lambda: clock() + ahead_s)
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, once)
        async with client(httpx.Timeout(30)) as http:
            for _ in range(3):
                answer = await http.post(f"http://127.0.0.1:{port}")
                assert answer.status_code == 200
                ahead_s += KEPT_S
        group.cancel_scope.cancel()


async def test_proxy_of_the_environment_is_used_for_other_machines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with reply_server() as proxy, reply_server() as agent:
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.setenv(name, "direct.example")

        await get("http://agent.example/a%2Fb?c=%20")
        await get(agent.url)
        with resolving(["127.0.0.1"]):
            await get(f"http://direct.example:{agent.port}")

    assert [one.target for one in proxy.requests] == [
        "http://agent.example/a%2Fb?c=%20"
    ]
    assert len(agent.requests) == 2


async def test_private_part_of_aiohttp_still_exists() -> None:
    """If this fails, adapt `AiohttpTransport` and the upper bound in pyproject.toml."""
    connector = aiohttp.TCPConnector()
    assert connector._factory.func is ResponseHandler
    await connector.close()
