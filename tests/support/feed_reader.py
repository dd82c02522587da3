"""A strict reader of the feed. It keeps each complete event, and reconnects.

It reconnects with the id of its last event, as an EventSource does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httptools
import httpx

RETRY_S = 0.02
READ_BYTES = 256 * 1024
SLOW_BYTES, SLOW_S = 8 * 1024, 0.03
"""About 0.25 MB/s, less than a third of 2,000 events a second."""

NO_PROGRESS = b'"progress":null'


class FeedReader:
    """Reads `target` (a path with its query) from its first event, until cancelled.

    A `slow` reader keeps the host's socket buffers full. With `is_paused` it reads
    nothing. `unexpected` has everything that a reader with a usable cursor must never
    get: an error, a snapshot, another epoch or an invalid frame.
    """

    def __init__(self, port: int, target: str, *, slow: bool = False) -> None:
        self.target = target
        self.slow = slow
        self.is_paused = False
        self.cursor: str | None = None
        self.connected = False
        self.connections = self.clean_ends = 0
        self.ids: list[int] = []
        self.bodies: list[bytes] = []
        self.unexpected: list[bytes] = []
        self.faults: list[bytes] = []
        self._port = port
        self._rest = b""
        self._is_over = False

    def on_connect(self) -> None:
        """Is called for each new connection."""

    def on_event(self, event_id: int, body: bytes) -> None:
        """Is called for each complete event."""
        self.ids.append(event_id)
        self.bodies.append(body)

    async def run(self) -> None:
        """Read for ever, and reconnect after each end."""
        while True:
            with contextlib.suppress(OSError):
                await self._read()
            self.connected = False
            await asyncio.sleep(RETRY_S)

    async def _read(self) -> None:
        """Read one connection to its end. Drop an incomplete event."""
        loop = asyncio.get_running_loop()
        with socket.socket() as sock:
            sock.setblocking(False)
            if self.slow:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BYTES)
            await loop.sock_connect(sock, ("127.0.0.1", self._port))
            self.connected = True
            self.connections += 1
            self.on_connect()
            self._rest, self._is_over = b"", False
            self._response = httptools.HttpResponseParser(self)
            await loop.sock_sendall(sock, self._request())
            while data := await loop.sock_recv(
                sock, SLOW_BYTES if self.slow else READ_BYTES
            ):
                self._response.feed_data(data)
                if self._is_over:
                    return
                if self.slow:
                    await asyncio.sleep(SLOW_S)
                while self.is_paused:
                    await asyncio.sleep(RETRY_S)

    def _request(self) -> bytes:
        mark = "&" if "?" in self.target else "?"
        target = self.target if self.cursor else f"{self.target}{mark}after=0"
        lines = [f"GET {target} HTTP/1.1", f"Host: 127.0.0.1:{self._port}"]
        if self.cursor:
            lines.append(f"Last-Event-ID: {self.cursor}")
        return "\r\n".join([*lines, "", ""]).encode()

    def on_headers_complete(self) -> None:
        """Is called by the HTTP parser."""
        status = self._response.get_status_code()
        if status != 200:
            self.unexpected.append(b"status %d" % status)

    def on_message_complete(self) -> None:
        """Is called by the HTTP parser at the end of the response."""
        self._is_over = True
        self.clean_ends += 1

    def on_body(self, data: bytes) -> None:
        """Is called by the HTTP parser with the data of each chunk."""
        *frames, self._rest = (self._rest + data).split(b"\n\n")
        for frame in frames:
            self._take(frame)

    def _take(self, frame: bytes) -> None:
        head, is_event, data = frame.partition(b"\ndata: ")
        epoch, _, event_id = head.removeprefix(b"id: ").decode().partition("-")
        if is_event and event_id.isdecimal() and epoch == self._epoch(epoch):
            self.cursor = f"{epoch}-{event_id}"
            self.on_event(int(event_id), data)
        elif head == b"event: fault":
            self.faults.append(data)
        elif frame != b"retry: 1000" and not frame.startswith(b":"):
            self.unexpected.append(frame)

    def _epoch(self, first_seen: str) -> str:
        return self.cursor.partition("-")[0] if self.cursor else first_seen

    def matches(self, event: dict[str, Any]) -> bool:
        """Return whether the event matches the target."""
        path, query = urlsplit(self.target)[2:4]
        wanted = parse_qs(query) | (
            {"kind": ["task"]} if path == "/tasks/stream" else {}
        )
        return all(event.get(name) in values for name, values in wanted.items())

    def expected_from(self, log: dict[int, bytes]) -> list[tuple[int, bytes]]:
        """Return the events of the log that the reader must have, in order."""
        return [
            (event_id, self._as_sent(body))
            for event_id, body in log.items()
            if self.matches(json.loads(body))
        ]

    def _as_sent(self, body: bytes) -> bytes:
        """Return the event as sent: /tasks/stream has no progress of null."""
        if not self.target.startswith("/tasks/stream") or NO_PROGRESS not in body:
            return body
        is_completed = json.loads(body)["status"] == "completed"
        return body.replace(NO_PROGRESS, b'"progress":%d' % (100 * is_completed), 1)


async def read_log(url: str, deadline_s: float = 60) -> dict[int, bytes]:
    """Return the lines of /feed.ndjson by their ids, in order."""
    async with httpx.AsyncClient(trust_env=False, timeout=deadline_s) as client:
        answer = await client.get(f"{url}/feed.ndjson")
    lines = answer.raise_for_status().content.splitlines()
    log = {json.loads(line)["id"]: line for line in lines}
    assert len(log) == len(lines)
    return log
