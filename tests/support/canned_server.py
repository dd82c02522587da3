"""An HTTP server that sends prepared bytes as responses, and records the requests.

It runs in the event loop of the test.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

Json = dict[str, Any]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class CannedServer:
    """Sends the next of `answers` for each request, and closes the connection.

    It repeats the last answer. With `keeps_open` the client must close the connection.
    With `sends_first` it also sends the answer before the request. With `resets` it
    resets the connection in place of closing it.
    """

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.heads: list[str] = []
        self.bodies: list[Json] = []
        self.client_left = asyncio.Event()
        self.keeps_open = False
        self.sends_first = False
        self.resets = False
        self.url = ""

    async def handle(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            if self.sends_first:
                writer.write(self.answers[0])
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            self.heads.append(head)
            length = head.partition("content-length: ")[2].partition("\r\n")[0]
            body = await reader.readexactly(int(length or 0))
            self.bodies.append(json.loads(body) if body else {})
            rest = self.answers
            writer.write(rest.pop(0) if len(rest) > 1 else rest[0])
            await writer.drain()
            if self.keeps_open:
                await reader.read()
            if self.resets:
                writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.client_left.set()
            writer.close()


def http_response(
    body: bytes, kind: str = "application/json", status: int = 200
) -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@asynccontextmanager
async def serve(
    agent: CannedServer, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    async with serve_handler(agent.handle, tls) as url:
        agent.url = url
        yield url


@asynccontextmanager
async def serve_handler(
    handle: Handler, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """Pass each connection to `handle`, and yield the URL of the server."""
    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        server.close()
