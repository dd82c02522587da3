"""Tests that the host parses the HTTP of an agent in small turns.

host/clients/aiohttp_transport.py, with real sockets.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest
from aiohttp.client_proto import ResponseHandler

from host.clients import aiohttp_transport
from host.clients.aiohttp_transport import MAX_INTERIM, MAX_TURN_S, PART
from host.clients.http_client import client
from tests.support.canned_server import serve_handler

DEADLINE_S = 60
INTERIM = b"HTTP/1.1 103 Early Hints\r\n\r\n"
COUNT = 20 * PART
TINY = b"1\r\nx\r\n" * COUNT + b"0\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
UNTIL_CLOSED = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"


@asynccontextmanager
async def serve(*answers: bytes) -> AsyncIterator[str]:
    """Answer each connection with the next of `answers`, and close the last one."""
    left = list(answers)

    async def handle(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        answer = left.pop(0)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        if left:
            await reader.read()
        writer.close()

    async with serve_handler(handle) as url:
        yield url


async def get(url: str) -> httpx.Response:
    with anyio.fail_after(DEADLINE_S):
        async with client(httpx.Timeout(DEADLINE_S)) as http:
            return await http.get(url)


@pytest.mark.parametrize("turn_s", [0, MAX_TURN_S])
@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (CHUNKED + TINY, b"x" * COUNT),
        (UNTIL_CLOSED + b"y" * COUNT, b"y" * COUNT),
    ],
)
async def test_long_read_is_parsed_in_turns(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, body: bytes, turn_s: float
) -> None:
    parts: list[int] = []
    parse = ResponseHandler.data_received

    def note_part(connection: ResponseHandler, data: bytes) -> None:
        parts.append(len(data))
        parse(connection, data)

    monkeypatch.setattr(ResponseHandler, "data_received", note_part)
    monkeypatch.setattr(aiohttp_transport, "MAX_TURN_S", turn_s)
    async with serve(answer) as url:
        response = await get(url)

    assert response.content == body
    assert max(parts) == PART


async def test_bytes_after_a_response_are_never_the_next_response() -> None:
    good = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Fill: %b\r\n\r\ngood"
    good %= b"-" * (PART - len(good) + len("%b"))
    rest = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"
    with anyio.fail_after(DEADLINE_S):
        async with serve(good + rest, good) as url, client(httpx.Timeout(30)) as http:
            first, second = await http.get(url), await http.get(url)

    assert (first.text, second.text) == ("good", "good")


async def test_interim_responses_up_to_the_limit_are_skipped() -> None:
    answer = INTERIM * MAX_INTERIM + CHUNKED + b"4\r\ngood\r\n0\r\n\r\n"
    async with serve(answer) as url:
        assert (await get(url)).text == "good"


async def test_more_interim_responses_than_the_limit_are_refused() -> None:
    refused = pytest.raises(httpx.RemoteProtocolError, match="over 100 interim")
    async with serve(INTERIM * (MAX_INTERIM + 1)) as url:
        with refused:
            await get(url)
