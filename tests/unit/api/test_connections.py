"""Tests that clients with slow or endless requests get an error and are closed.

Covers host/api/connections.py on a real socket, with short deadlines.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from host.api import connections
from tests.support.in_process_host import serve_app
from tests.support.raw_requests import exchange

SHORT_S = 0.3


@pytest.fixture(autouse=True)
def use_short_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_S", SHORT_S)
    monkeypatch.setattr(connections, "BODY_S", SHORT_S)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Return the size of the body. /stream lasts longer than any deadline."""
    request = Request(scope, receive)
    response: Response
    if request.url.path == "/stream":
        response = StreamingResponse(_send_slowly())
    else:
        response = PlainTextResponse(f"{len(await request.body())} bytes")
    await response(scope, receive, send)


async def _send_slowly() -> AsyncIterator[bytes]:
    for _ in range(6):
        await anyio.sleep(SHORT_S / 2)
        yield b"still here\n"


async def test_silent_connection_is_closed() -> None:
    async with serve_app(app) as port:
        assert (await exchange(port)).startswith(b"HTTP/1.1 408 ")


async def test_slow_request_head_is_refused_with_the_reason() -> None:
    drops = [b"GET / HTTP/1.1\r\n", *[b"X-Drop: 1\r\n"] * 100]

    async with serve_app(app) as port:
        answer = await exchange(port, *drops, pause_s=0.05)

    assert answer.startswith(b"HTTP/1.1 408 Request Timeout")
    assert b"not complete within 0.3 s" in answer


async def test_slow_second_request_is_refused() -> None:
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    drops = [request, b"G", *[b"X"] * 100]

    async with serve_app(app) as port:
        answer = await exchange(port, *drops, pause_s=0.05)

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"HTTP/1.1 4" in answer


async def test_slow_body_is_refused() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"

    async with serve_app(app) as port:
        answer = await exchange(port, head, *[b"x"] * 100, pause_s=0.05)

    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_response_stream_has_no_deadline() -> None:
    request = b"GET /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

    async with serve_app(app) as port:
        answer = await exchange(port, request)

    assert answer.count(b"still here") == 6


async def test_complete_request_is_answered() -> None:
    request = b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"

    async with serve_app(app) as port:
        assert b"5 bytes" in await exchange(port, request)


async def test_connection_over_the_limit_gets_503() -> None:
    async with (
        serve_app(app, most=2) as port,
        await anyio.connect_tcp("127.0.0.1", port),
        await anyio.connect_tcp("127.0.0.1", port),
    ):
        answer = await exchange(port)

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"limit of 2 connections" in answer
