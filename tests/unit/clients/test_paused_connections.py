"""Tests that the host does not lose the connections that it pauses.

host/clients/loop_budget.py and aiohttp_transport.py, with real sockets.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

import anyio
import httpx
import pytest
from anyio.from_thread import start_blocking_portal

from host.clients.http_client import client
from host.clients.loop_budget import BYTES_PER_S, LoopBudget
from tests.support.canned_server import serve_handler

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
FIRST, SECOND, END = b"1\r\n1\r\n", b"1\r\n2\r\n", b"0\r\n\r\n"
FLOOD = b"1\r\nx\r\n" * 5_000
FLOODS = 3
QUIET_STREAMS = 8
LINES = 100
TIMEOUT_S = 0.3


async def read_paused(*, is_dead: bool) -> list[bytes]:
    """Read a stream that is paused after its first chunk for longer than the timeout.

    A dead agent sends nothing after the first chunk.
    """
    is_paused = asyncio.Event()
    budget = LoopBudget()

    async def handle(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        budget.spend_bytes(BYTES_PER_S)
        writer.write(HEAD + FIRST)
        await is_paused.wait()
        if is_dead:
            await reader.read()
        else:
            writer.write(SECOND + END)
        writer.close()

    chunks: list[bytes] = []
    async with (
        serve_handler(handle) as url,
        client(httpx.Timeout(30, read=TIMEOUT_S), budget=budget) as http,
        http.stream("GET", url) as response,
    ):
        async for chunk in response.aiter_raw():
            if not chunks:
                assert budget.is_paused
                assert budget.paused_s > 2 * TIMEOUT_S
            chunks.append(chunk)
            is_paused.set()
    return chunks


async def test_agent_gets_no_timeout_while_the_host_does_not_read() -> None:
    assert await read_paused(is_dead=False) == [b"1", b"2"]


async def test_agent_that_is_silent_after_a_pause_gets_a_timeout() -> None:
    with pytest.raises(httpx.ReadTimeout), anyio.fail_after(30):
        await read_paused(is_dead=True)


async def test_flood_does_not_delay_the_agents_other_streams() -> None:
    """If they do not take turns, one waits longer than the timeout."""

    async def handle(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD)
        if b"/flood" in request:
            with suppress(ConnectionError):
                while True:
                    writer.write(FLOOD)
                    await writer.drain()
        for _ in range(LINES):
            writer.write(FIRST)
            await asyncio.sleep(0.02)
        writer.write(END)
        writer.close()

    async def read(path: str) -> bytes:
        async with http.stream("GET", url + path) as response:
            return b"".join([chunk async for chunk in response.aiter_raw()])

    async def read_quiet() -> None:
        complete.append(await read("/quiet"))

    complete: list[bytes] = []
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serve_handler(handle)) as url,
        anyio.fail_after(60),
    ):
        async with (
            client(httpx.Timeout(30, read=1), budget=LoopBudget()) as http,
            anyio.create_task_group() as floods,
        ):
            for _ in range(FLOODS):
                floods.start_soon(read, "/flood")
            async with anyio.create_task_group() as quiet:
                for _ in range(QUIET_STREAMS):
                    quiet.start_soon(read_quiet)
            floods.cancel_scope.cancel()
    assert complete == [b"1" * LINES] * QUIET_STREAMS
