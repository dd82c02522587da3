"""A reader of the feed as strict as can be: it comes back with its last event's id.

Connects to a host that harness.py started; keeps each complete event for the test.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket

import httptools

RETRY_S = 0.02
READ_BYTES = 256 * 1024
SLOW_BYTES, SLOW_S = 8 * 1024, 0.03
"""Some 0.25 MB/s, less than a third of what 2,000 events a second are."""


class FeedReader:
    """Reads `target` (a path with its query) from its first event, until cancelled.

    A `slow` reader leaves the host's socket buffers full. `odd` is what no reader
    with a usable cursor ever gets: an error, a snapshot, another epoch, a frame
    that is none.
    """

    def __init__(self, port: int, target: str, *, slow: bool = False) -> None:
        self.target = target
        self.slow = slow
        self.cursor: str | None = None
        self.connected = False
        self.ids: list[int] = []
        self.bodies: list[bytes] = []
        self.odd: list[bytes] = []
        self._port = port
        self._rest = b""

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
            self.on_connect()
            self._rest = b""
            self._response = httptools.HttpResponseParser(self)
            await loop.sock_sendall(sock, self._request())
            while data := await loop.sock_recv(
                sock, SLOW_BYTES if self.slow else READ_BYTES
            ):
                self._response.feed_data(data)
                if self.slow:
                    await asyncio.sleep(SLOW_S)

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
            self.odd.append(b"status %d" % status)

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
        elif frame != b"retry: 1000" and not frame.startswith(b":"):
            self.odd.append(frame)

    def _epoch(self, first_seen: str) -> str:
        return self.cursor.partition("-")[0] if self.cursor else first_seen
