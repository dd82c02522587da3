"""An A2A agent on plain sockets, which can send invalid responses.

`serve` runs one. bad_streams.py and bench/ define its responses.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timezone
from typing import Any

import anyio
import anyio.lowlevel

Json = dict[str, Any]
SSE = "text/event-stream"


class Exchange:
    """One request, and the connection to its client.

    `target` is the path with its query. `name` is the path's first segment, because one
    server has many agents.
    `method` is the JSON-RPC method (also for an HTTP+JSON path), or "" for a card.
    """

    def __init__(
        self,
        path: str,
        headers: dict[str, str],
        body: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        call: Json = json.loads(body) if body else {}
        self.target = path
        self.name, _, rest = path.partition("?")[0][1:].partition("/")
        self.url = f"http://{headers['host']}/{self.name}"
        self.headers = headers
        self.method: str = call.get("method") or _method_of(rest)
        self.params: Json = call.get("params", {})
        self._id = json.dumps(call["id"]) if "id" in call else ""
        self._reader, self._writer = reader, writer

    async def send(self, data: bytes) -> None:
        """Send when the client has room. Raises ConnectionError after a disconnect."""
        self._writer.write(data)
        await self._writer.drain()

    async def head(self, kind: str = SSE, status: int = 200, headers: str = "") -> None:
        """Send the head of a response that ends with the connection."""
        await self.send(
            f"HTTP/1.1 {status} \r\nContent-Type: {kind}\r\n{headers}"
            "Connection: close\r\n\r\n".encode()
        )

    async def answer(
        self, body: bytes, status: int = 200, kind: str = "application/json"
    ) -> None:
        await self.head(kind, status, f"Content-Length: {len(body)}\r\n")
        await self.send(body)

    async def result(self, value: Json) -> None:
        await self.answer(self.envelope(json.dumps(value).encode()))

    async def refuse(self, code: int, message: str) -> None:
        error = {"code": code, "message": message}
        call = {"jsonrpc": "2.0", "id": json.loads(self._id), "error": error}
        await self.answer(json.dumps(call).encode())

    def envelope(self, result: bytes) -> bytes:
        """Wrap the JSON of a result in a JSON-RPC response, except for HTTP+JSON."""
        if not self._id:
            return result
        return b'{"jsonrpc": "2.0", "id": %b, "result": %b}' % (
            self._id.encode(),
            result,
        )

    def event(self, result: bytes) -> bytes:
        """Build the server-sent event with this result."""
        return b"data: %b\n\n" % self.envelope(result)

    async def until_gone(self, ping_s: float | None = None) -> None:
        """Wait until the client disconnects, and send pings to keep a stream open."""
        while True:
            try:
                if not await asyncio.wait_for(self._reader.read(65_536), ping_s):
                    return
            except asyncio.TimeoutError:
                await self.send(b": ping\n\n")


def _method_of(path: str) -> str:
    if not path.startswith("tasks"):
        return ""
    if path.endswith(":subscribe"):
        return "SubscribeToTask"
    return "GetTask" if "/" in path else "ListTasks"


Handler = Callable[[Exchange], Awaitable[None]]


async def serve(port: int, handle: Handler) -> None:
    """Pass each request to `handle`, until cancelled. One request per connection."""
    open_writers: set[asyncio.StreamWriter] = set()

    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        open_writers.add(writer)
        try:
            await handle(await _read(reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # The client has disconnected.
        finally:
            open_writers.discard(writer)
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port, backlog=1024)
    try:
        async with server:
            await server.serve_forever()
    finally:
        for writer in open_writers:
            writer.close()
        with anyio.CancelScope(shield=True):
            await anyio.lowlevel.checkpoint()  # Then their sockets are closed, too.


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Exchange:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    request, *lines = head.strip().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Exchange(request.split()[1], headers, body, reader, writer)


def card(
    name: str, url: str, *, streaming: bool = True, binding: str = "JSONRPC"
) -> Json:
    """Build the card of an agent with one binding at `url`."""
    interface = {"url": url, "protocolBinding": binding, "protocolVersion": "1.0"}
    skill = {
        "id": "part",
        "name": "Part",
        "description": "A test skill.",
        "tags": ["test"],
    }
    return {
        "name": name,
        "description": "Plays a part in a test.",
        "version": "1",
        "supportedInterfaces": [interface],
        "capabilities": {"streaming": streaming},
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": [skill],
    }


def status(text: str, number: int, state: str = "TASK_STATE_WORKING") -> Json:
    """Build a TaskStatus with the current time. The message id contains `number`."""
    moment = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    return {
        "state": state,
        "timestamp": moment.replace("+00:00", "Z"),
        "message": {
            "messageId": f"m{number}",
            "role": "ROLE_AGENT",
            "parts": [{"text": text}],
        },
    }


def message_of(text: str, message_id: str) -> Json:
    """Build a message of the agent."""
    parts = [{"text": text}]
    return {"messageId": message_id, "role": "ROLE_AGENT", "parts": parts}
