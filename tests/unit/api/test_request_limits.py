"""Tests that the host reads only so much of a request, wherever its bytes are.

Covers host/api/request_limits.py and host/api/connections.py on a real socket.
"""

from __future__ import annotations

import anyio
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from host.api.connections import MAX_AHEAD_BYTES, MAX_UNREAD_BYTES, UNREAD_S
from host.api.request_limits import (
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    MAX_RECEIVED_BODY_BYTES,
    MAX_URL_BYTES,
)
from tests.support.in_process_host import serve_app
from tests.support.raw_requests import exchange, flood

MIB = 1024 * 1024
# What the sockets of both sides and the event loop buffer, on top of a limit.
BUFFERS = 16 * MIB
MOST = 256 * MIB
CHUNKED = b"POST /%b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse the request unread, or at /read return the size of its body.

    /wait reads until the client disconnects.
    """
    request = Request(scope, receive)
    if request.url.path == "/wait":
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    if request.url.path == "/read":
        size = len(await request.body())
        names = ",".join(request.headers)
        response = PlainTextResponse(f"{size} bytes, headers {names}")
    else:
        response = PlainTextResponse("a token is needed", 401)
    await response(scope, receive, send)


FLOODS = {
    "trailers": (b"0\r\n", b"X-Drop: " + b"y" * 90 + b"\r\n"),
    "short trailers": (b"0\r\n", b"a:\r\n"),
    "one long trailer": (b"0\r\nX: ", b"y" * 1_000),
    "a long chunk extension": (b"5;", b"x" * 1_000),
    "chunk extensions": (b"", b"1;" + b"x" * 100 + b"\r\ny\r\n"),
    "chunks of one byte": (b"", b"1\r\ny\r\n"),
    "leading zeros of a chunk size": (b"", b"0" * 1_000),
}


@pytest.mark.parametrize("path", [b"", b"read", b"wait"])
@pytest.mark.parametrize("name", FLOODS)
async def test_endless_framing_ends_the_connection(name: str, path: bytes) -> None:
    begin, line = FLOODS[name]
    block = line * (64 * 1024 // len(line))

    async with serve_app(app) as port:
        sent, answer = await flood(port, CHUNKED % path + begin, block, MOST)

    assert sent < BUFFERS
    # The application refuses the request unless the limit comes first.
    assert answer.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 ", b"HTTP/1.1 401 "))
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("path", [b"", b"read", b"wait"])
async def test_endless_body_ends_the_connection(path: bytes) -> None:
    block = b"%x\r\n%b\r\n" % (64 * 1024, b"x" * 64 * 1024)

    async with serve_app(app) as port:
        sent, answer = await flood(port, CHUNKED % path, block, MOST)

    assert sent < MAX_RECEIVED_BODY_BYTES + BUFFERS
    assert answer.startswith(b"HTTP/1.1 413 " if path else b"HTTP/1.1 401 ")


@pytest.mark.parametrize("size", [MAX_UNREAD_BYTES // 2, MAX_UNREAD_BYTES])
async def test_little_rest_of_a_refused_request_keeps_the_connection(
    size: int,
) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
    last = b"GET /read HTTP/1.1\r\nConnection: close\r\n\r\n"
    body = b"x" * size

    async with serve_app(app) as port:
        answer = await exchange(port, head % len(body), body, last, pause_s=0.1)

    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"0 bytes" in answer


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: %d" % (MAX_UNREAD_BYTES + 1),
        b"Content-Length: 9000000",
        b"Transfer-Encoding: chunked",
    ],
)
async def test_response_before_a_long_rest_ends_the_connection(framing: bytes) -> None:
    """It says so, and it ends before the rest is there: a client can read it."""
    head = b"POST / HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % framing

    async with (
        serve_app(app) as port,
        await anyio.connect_tcp("127.0.0.1", port) as stream,
    ):
        answer = b""
        await stream.send(head)
        with anyio.fail_after(UNREAD_S / 2):
            try:
                while True:
                    answer += await stream.receive()
            except anyio.EndOfStream:
                pass

    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"connection: close" in answer


async def test_rest_that_never_comes_ends_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("host.api.connections.UNREAD_S", 0.2)
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"

    async with serve_app(app) as port:
        answer = await exchange(port, head)

    assert answer.count(b"HTTP/1.1") == 1


async def test_endless_requests_behind_a_waiting_one_end_the_connection() -> None:
    head = b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"
    block = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 2_000

    async with serve_app(app) as port:
        sent, answer = await flood(port, head, block, MOST)

    assert sent < BUFFERS
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert str(MAX_AHEAD_BYTES).encode() in answer


async def test_requests_sent_ahead_are_answered_in_order() -> None:
    paths = [b"/read", b"/", b"/read", b"/"] * 20
    requests = [b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path for path in paths]
    last = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

    async with serve_app(app) as port:
        answer = await exchange(port, b"".join([*requests, last]))

    statuses = [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"401"] * 40 + [b"401"]


@pytest.mark.parametrize("size", [8, 60, 4_000])
async def test_small_chunks_are_read(size: int) -> None:
    count = 30_000 // size
    body = b"%x\r\n%b\r\n" % (size, b"x" * size) * count
    head = (CHUNKED % b"read").replace(b"Host", b"Connection: close\r\nHost")

    async with serve_app(app) as port:
        answer = await exchange(port, head + body + b"0\r\n\r\n")

    assert b"%d bytes" % (count * size) in answer


@pytest.mark.parametrize("size", [60_000, 1_000_000])
async def test_many_bodies_on_one_connection_are_read(size: int) -> None:
    head = b"POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size
    pieces = [head, b"x" * size] * 5 + [b"GET / HTTP/1.0\r\n\r\n"]

    async with serve_app(app) as port:
        answer = await exchange(port, *pieces, pause_s=0.05)

    assert answer.count(b"%d bytes" % size) == 5


async def test_trailers_do_not_become_headers() -> None:
    head = (CHUNKED % b"read").replace(b"Host", b"Connection: close\r\nHost")

    async with serve_app(app) as port:
        answer = await exchange(
            port, head, b"2\r\nhi\r\n0\r\nAuthorization: Bearer x\r\n\r\n", pause_s=0.1
        )

    assert b"2 bytes" in answer
    assert b"authorization" not in answer


@pytest.mark.parametrize(
    ("head", "status", "limit"),
    [
        (b"GET / HTTP/1.1\r\nX-Long: " + b"x" * 200_000, b"431", MAX_HEAD_BYTES),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 1_000, b"431", MAX_HEADERS),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n", b"414", MAX_URL_BYTES),
        (b"GET /?q=" + b"x" * 200_000, b"414", MAX_URL_BYTES),
        (b"\r\n" * 100_000, b"431", MAX_HEAD_BYTES),
    ],
)
async def test_too_large_head_is_refused_with_the_limit(
    head: bytes, status: bytes, limit: int
) -> None:
    async with serve_app(app) as port:
        answer = await exchange(port, head)

    assert answer.startswith(b"HTTP/1.1 " + status)
    assert str(limit).encode() in answer
