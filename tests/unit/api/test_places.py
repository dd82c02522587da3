"""Tests the limits for open connections: of all, and of each client's address.

Covers host/api/places.py, and on a real socket what a client over the limit gets.
"""

from __future__ import annotations

import socket

import anyio
import anyio.to_thread
import httpx
import pytest
from starlette.responses import PlainTextResponse

from host.api import places
from host.api.places import Places
from host.api.request_limits import RequestRefused
from tests.support.in_process_host import serve_app
from tests.support.raw_requests import END_ERRORS, exchange
from tests.support.waiting import wait_until

DEADLINE_S = 30.0
MOST = 8
MOST_PER_ADDRESS = 6
GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
app = PlainTextResponse("hello")


def take(limits: Places, count: int, address: str) -> list[str]:
    return [limits.take(address) for _ in range(count)]


async def get_from(address: str, port: int) -> httpx.Response:
    transport = httpx.AsyncHTTPTransport(local_address=address)
    async with httpx.AsyncClient(transport=transport, timeout=DEADLINE_S) as http:
        return await http.get(f"http://127.0.0.1:{port}/")


def test_address_gets_its_share_and_leaves_the_rest_to_others() -> None:
    limits = Places(MOST)
    take(limits, MOST_PER_ADDRESS, "192.0.2.1")

    with pytest.raises(RequestRefused, match=r"192\.0\.2\.1 has 6 connections") as one:
        limits.take("192.0.2.1")
    assert one.value.status == 429
    take(limits, MOST - MOST_PER_ADDRESS, "192.0.2.2")
    with pytest.raises(RequestRefused, match="limit of 8 connections") as all_used:
        limits.take("192.0.2.3")
    assert all_used.value.status == 503


def test_freed_place_is_used_again() -> None:
    limits = Places(MOST)
    for _ in range(100):
        limits.free(limits.take("192.0.2.1"))
    take(limits, MOST_PER_ADDRESS, "192.0.2.1")

    with pytest.raises(RequestRefused):
        limits.take("192.0.2.1")


def test_spellings_and_the_network_of_one_client_share_the_limit() -> None:
    limits = Places(2 * MOST)
    take(limits, MOST_PER_ADDRESS, "192.0.2.1")
    take(limits, MOST_PER_ADDRESS, "::ffff:192.0.2.1")
    with pytest.raises(RequestRefused, match=r"192\.0\.2\.1 has 12 "):
        limits.take("192.0.2.1")

    limits = Places(MOST)
    for number in range(MOST_PER_ADDRESS):
        limits.take(f"2001:db8::{number:x}")
    with pytest.raises(RequestRefused, match=r"2001:db8::/64 has 6 "):
        limits.take("2001:db8::ffff:ffff:ffff:ffff")
    limits.take("2001:db8:0:1::")


def test_trusted_proxy_has_only_the_limit_of_all() -> None:
    limits = Places(MOST, trusts=lambda address: address == "192.0.2.1")
    take(limits, MOST, "192.0.2.1")

    with pytest.raises(RequestRefused, match="limit of 8 connections"):
        limits.take("192.0.2.1")


def test_address_has_a_limit_without_a_limit_of_files() -> None:
    limits = Places(None)
    take(limits, places.MAX_PER_ADDRESS, "192.0.2.1")

    with pytest.raises(RequestRefused, match="has 8000 connections"):
        limits.take("192.0.2.1")


async def test_client_over_the_limit_is_told_and_others_are_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serve_app(app, most=MOST) as port:
        idle = [
            await anyio.connect_tcp("127.0.0.1", port) for _ in range(MOST_PER_ADDRESS)
        ]
        for data in (b"", GET, GET):
            answer = await exchange(port, data)
            assert answer.startswith(b"HTTP/1.1 429 ")
            assert answer.endswith(
                b"127.0.0.1 has 6 connections, the limit of one address: close some\n"
            )
        other = await get_from("127.0.0.2", port)
        for stream in idle:
            await stream.aclose()

        async def is_free() -> bool:
            return (await get_from("127.0.0.1", port)).status_code == 200

        await wait_until(is_free, "a place", DEADLINE_S)

    assert other.text == "hello"
    messages = [
        one.getMessage() for one in caplog.records if "refused=" in str(one.msg)
    ]
    assert len(messages) == 1
    assert messages[0].startswith("client=127.0.0.1 refused=429 ")


async def test_connections_that_end_in_any_way_leave_their_place() -> None:
    async with serve_app(app, most=3) as port:
        for data in (b"", b"GET", GET, b"no request\r\n\r\n", GET + GET) * 5:
            with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as client:
                client.sendall(data)

        async def is_free() -> bool:
            try:
                return (await get_from("127.0.0.1", port)).status_code == 200
            except (httpx.TransportError, *END_ERRORS):
                return False

        await wait_until(is_free, "a place", DEADLINE_S)
