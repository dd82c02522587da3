"""Tests that HTTP/1.0 clients, which cannot read chunks, get no chunks.

Covers host/api/http10.py on a real socket.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from tests.support.in_process_host import serve_app
from tests.support.raw_requests import exchange

PIECES = [b"first\n", b"", b"second\n", b"x" * 200_000]


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    response: Response
    if scope["path"] == "/stream":
        response = StreamingResponse(_send_pieces())
    elif scope["path"] == "/empty":
        response = Response(status_code=204)
    else:
        response = PlainTextResponse("whole")
    await response(scope, receive, send)


async def _send_pieces() -> AsyncIterator[bytes]:
    for piece in PIECES:
        yield piece


@pytest.mark.parametrize(
    ("path", "body"),
    [(b"/", b"whole"), (b"/stream", b"".join(PIECES)), (b"/empty", b"")],
)
@pytest.mark.parametrize("keep_alive", [b"", b"Connection: keep-alive\r\n"])
async def test_response_ends_with_the_connection(
    path: bytes, body: bytes, keep_alive: bytes
) -> None:
    async with serve_app(app) as port:
        answer = await exchange(port, b"GET %b HTTP/1.0\r\n%b\r\n" % (path, keep_alive))

    head, _, received = answer.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    assert received == body


async def test_response_to_head_has_no_body() -> None:
    async with serve_app(app) as port:
        answer = await exchange(port, b"HEAD /stream HTTP/1.0\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"transfer-encoding" not in answer
    assert answer.endswith(b"\r\n\r\n")


async def test_http11_client_gets_chunks() -> None:
    request = b"GET /stream HTTP/1.1\r\nConnection: close\r\n\r\n"

    async with serve_app(app) as port:
        answer = await exchange(port, request)

    assert b"transfer-encoding: chunked" in answer
    assert answer.endswith(b"0\r\n\r\n")
