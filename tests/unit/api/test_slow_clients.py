"""Slow clients: who takes for ever to say what it wants is told so, and closed.

host/api/slow_clients.py on a real socket, with shorter deadlines than the product's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from host.api import slow_clients
from host.api.slow_clients import MAX_HEAD_BYTES
from tests.support.in_process_host import serving

SHORT_S = 0.3
PATIENCE_S = 5.0


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_clients, "HEAD_S", SHORT_S)
    monkeypatch.setattr(slow_clients, "BODY_S", SHORT_S)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Says how long a body was; /stream goes on for longer than any deadline."""
    request = Request(scope, receive)
    response: Response
    if request.url.path == "/stream":
        response = StreamingResponse(_slowly())
    else:
        response = PlainTextResponse(f"{len(await request.body())} bytes")
    await response(scope, receive, send)


async def _slowly() -> AsyncIterator[bytes]:
    for _ in range(6):
        await anyio.sleep(SHORT_S / 2)
        yield b"still here\n"


async def said(port: int, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """All that is answered to these pieces until the server closes."""
    with anyio.fail_after(PATIENCE_S):
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            heard = b""

            async def listen() -> None:
                nonlocal heard
                with_end = (anyio.EndOfStream, anyio.BrokenResourceError)
                try:
                    while True:
                        heard += await stream.receive()
                except with_end:
                    group.cancel_scope.cancel()

            async with anyio.create_task_group() as group:
                group.start_soon(listen)
                for piece in pieces:
                    await stream.send(piece)
                    await anyio.sleep(pause_s)
                await anyio.sleep_forever()
            return heard


async def test_a_connection_that_says_nothing_is_closed() -> None:
    async with serving(app) as port:
        assert (await said(port)).startswith(b"HTTP/1.1 408 ")


async def test_a_head_that_drips_is_cut_off_with_the_reason() -> None:
    drops = [b"GET / HTTP/1.1\r\n", *[b"X-Drop: 1\r\n"] * 100]

    async with serving(app) as port:
        answer = await said(port, *drops, pause_s=0.05)

    assert answer.startswith(b"HTTP/1.1 408 Request Timeout")
    assert b"not complete within 0.3 s" in answer


async def test_a_second_request_may_not_drip_either() -> None:
    whole = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    drops = [whole, b"G", *[b"X"] * 100]

    async with serving(app) as port:
        answer = await said(port, *drops, pause_s=0.05)

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"HTTP/1.1 4" in answer


async def test_a_body_that_drips_is_cut_off() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"

    async with serving(app) as port:
        answer = await said(port, head, *[b"x"] * 100, pause_s=0.05)

    assert answer.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("line", [b"X-Long: " + b"x" * 200_000, b"A: b\r\n" * 40_000])
async def test_a_head_without_end_is_cut_off(line: bytes) -> None:
    async with serving(app) as port:
        answer = await said(port, b"GET / HTTP/1.1\r\n", line)

    assert answer.startswith(b"HTTP/1.1 431 ")
    assert str(MAX_HEAD_BYTES).encode() in answer


async def test_a_stream_that_is_read_lasts_longer_than_any_deadline() -> None:
    whole = b"GET /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

    async with serving(app) as port:
        answer = await said(port, whole)

    assert answer.count(b"still here") == 6


async def test_a_request_that_comes_at_once_is_answered() -> None:
    whole = b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"

    async with serving(app) as port:
        assert b"5 bytes" in await said(port, whole)


async def test_more_connections_than_there_is_room_for_are_told_so() -> None:
    async with (
        serving(app, most=2) as port,
        await anyio.connect_tcp("127.0.0.1", port),
        await anyio.connect_tcp("127.0.0.1", port),
    ):
        answer = await said(port)

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"limit of 2 connections" in answer
