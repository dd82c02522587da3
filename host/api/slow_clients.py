"""Closes connections of clients that send their request too slowly, or too much of it.

Otherwise a client could open many connections, send a few bytes on each, and keep them
all. uvicorn has a timeout only for the time between two requests.
"""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus

# Not public, but uvicorn has no timeout for the time within a request:
# https://github.com/Kludex/uvicorn/issues/157. pyproject.toml bounds uvicorn's version,
# and tests/unit/api/test_uvicorn_internals.py fails when the used parts change.
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ..observability.logfmt import Line

logger = logging.getLogger("courtside.slow_clients")

HEAD_S = 10.0  # From the connection, or the request's first byte, to its last header.
BODY_S = 60.0  # 4 MiB, the largest body, at 70 kB/s.
MAX_HEAD_BYTES = 64 * 1024


class DeadlineProtocol(HttpToolsProtocol):
    """HTTP/1.1 with deadlines for requests. Responses have none."""

    _deadline: asyncio.TimerHandle | None = None
    _is_in_head = False
    _head_bytes = 0

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        limit = self.limit_concurrency
        if limit is not None and len(self.connections) > limit:
            self._refuse(503, f"the limit of {limit} connections is reached")
        else:
            self._set_deadline(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._clear_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(431, f"the headers are over {MAX_HEAD_BYTES} bytes")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0
        self._is_in_head = True
        self._set_deadline(HEAD_S)

    def on_headers_complete(self) -> None:
        self._is_in_head = False
        self._set_deadline(BODY_S)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._clear_deadline()
        super().on_message_complete()

    def _set_deadline(self, seconds: float) -> None:
        self._clear_deadline()
        cause = f"the request was not complete within {seconds:g} s"
        self._deadline = self.loop.call_later(seconds, self._refuse, 408, cause)

    def _clear_deadline(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: int, cause: str) -> None:
        """Close the connection, and send the cause unless a response has started."""
        self._clear_deadline()
        client = self.client and self.client[0]
        logger.info(Line(client=client, connection="closed", cause=cause))
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
            rest = f"connection: close\r\ncontent-length: {len(cause)}\r\n\r\n{cause}"
            self.transport.write(f"{head}{rest}".encode())
        self.transport.close()
