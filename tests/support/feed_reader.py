"""A reader of the feed as strict as can be: it comes back with its last event's id.

Connects to a host that harness.py started; keeps each complete event for the test.
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
"""Some 0.25 MB/s, less than a third of what 2,000 events a second are."""


class FeedReader:
    """Reads `target` (a path with its query) from its first event, until cancelled.

    A `slow` reader leaves the host's socket buffers full; one that is `held` takes
    nothing at all. `odd` is what no reader
    with a usable cursor ever gets: an error, a snapshot, another epoch, a frame
    that is none.
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
        """Called for each connection that was accepted."""

    def on_event(self, event_id: int, body: bytes) -> None:
        """Called for each complete event."""
        self.ids.append(event_id)
        self.bodies.append(body)

    async def run(self) -> None:
        """Connects again for ever, as an EventSource does."""
        while True:
            with contextlib.suppress(OSError):
                await self._read()
            self.connected = False
            await asyncio.sleep(RETRY_S)

    async def _read(self) -> None:
        """One connection to its end. What is incomplete then was never received."""
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
        """For the parser."""
        status = self._response.get_status_code()
        if status != 200:
            self.unexpected.append(b"status %d" % status)

    def on_message_complete(self) -> None:
        """For the parser: a clean end, whatever becomes of the connection."""
        self._is_over = True
        self.clean_ends += 1

    def on_body(self, data: bytes) -> None:
        """For the parser: what the host wrote, without HTTP's own framing."""
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
        """Whether its target asks for the event."""
        path, query = urlsplit(self.target)[2:4]
        wanted = parse_qs(query) | (
            {"kind": ["task"]} if path == "/tasks/stream" else {}
        )
        return all(event.get(name) in values for name, values in wanted.items())

    def expected_from(self, log: dict[int, bytes]) -> list[tuple[int, bytes]]:
        """What it must have got of what `history` says, in this order."""
        return [item for item in log.items() if self.matches(json.loads(item[1]))]


async def read_log(url: str, deadline_s: float = 30) -> dict[int, bytes]:
    """Every line of /feed.ndjson by its id, in its order."""
    async with httpx.AsyncClient(trust_env=False, timeout=deadline_s) as client:
        answer = await client.get(f"{url}/feed.ndjson")
    lines = answer.raise_for_status().content.splitlines()
    log = {json.loads(line)["id"]: line for line in lines}
    assert len(log) == len(lines)
    return log
