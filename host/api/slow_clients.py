"""Owns how long a client may take to say what it wants, and how much that may be.

uvicorn has a deadline only between requests: without these, whoever opens connections
and drips bytes into them holds them for ever. The server makes one for each connection.
"""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ..observability.logfmt import Line

logger = logging.getLogger("courtside.prompt")

HEAD_S = 10.0  # From the connection, or the request's first byte, to its last header.
BODY_S = 60.0  # 4 MiB, the largest body, at 70 kB/s.
MAX_HEAD_BYTES = 64 * 1024


class PromptProtocol(HttpToolsProtocol):
    """HTTP/1.1 with deadlines for what the client sends; answers have none."""

    _due: asyncio.TimerHandle | None = None
    _is_in_head = False
    _head_bytes = 0

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        most = self.limit_concurrency
        if most is not None and len(self.connections) > most:
            return self._end(503, f"there are {most} connections already")
        self._within(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._end(431, f"the request's head is over {MAX_HEAD_BYTES} bytes")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0
        self._is_in_head = True
        self._within(HEAD_S)

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._within(BODY_S)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_time()
        super().on_message_complete()

    def _within(self, seconds: float) -> None:
        self._in_time()
        why = f"the request was not complete within {seconds:g} s"
        self._due = self.loop.call_later(seconds, self._end, 408, why)

    def _in_time(self) -> None:
        if self._due:
            self._due.cancel()
            self._due = None

    def _end(self, status: int, why: str) -> None:
        """Says why, unless an answer is under way, and closes the connection."""
        self._in_time()
        client = self.client and self.client[0]
        logger.info(Line(client=client, connection="closed", cause=why))
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
            rest = f"connection: close\r\ncontent-length: {len(why)}\r\n\r\n{why}"
            self.transport.write(f"{head}{rest}".encode())
        self.transport.close()
