"""Serves one HTTP/1.1 connection, with limits for its requests in bytes and time.

A client could keep many connections with a few bytes on each, or send a request without
an end. uvicorn has a timeout only between two requests, and no limit for the bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

import httptools
import uvicorn
from starlette.types import Message, Receive, Scope, Send

# Not public, but uvicorn has no timeout for the time within a request:
# https://github.com/Kludex/uvicorn/issues/157. pyproject.toml bounds uvicorn's version,
# and tests/unit/api/test_uvicorn_internals.py fails when the used parts change.
from uvicorn.protocols.http.httptools_impl import (
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from ..config.address_rules import unmap_address
from .http10 import send_without_chunks
from .refusals import Warnings, build_refusal
from .request_limits import RequestMeter, RequestRefused, check_version
from .sessions import ROLE

HEAD_S = 10.0  # From the connection, or the request's first byte, to its last header.
BODY_S = 60.0  # 4 MiB, the largest body, at 70 kB/s.
# A response may be complete before its request. The rest of the request is read, so
# that the client can read the response, and so that the connection stays usable.
UNREAD_S = 5.0
MAX_UNREAD_BYTES = 64 * 1024
MAX_AHEAD_BYTES = 64 * 1024  # Requests that are sent before the response to another.
CLOSE_S = 30.0  # To read the end of the last response.
READ_S = 30.0  # To read a little of a response, without a token.
# The parser gets this much at once. The limits are checked after each piece.
PIECE_BYTES = 512
MAX_BODY_PIECE_BYTES = 64 * 1024  # A body of known length has no other limits.


class Connection(HttpToolsProtocol):
    """HTTP/1.1 with limits for requests. Responses have no deadline."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        warnings: Warnings,
        on_end: Callable[[], None],
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._app, self.app = self.app, self._call_app
        self._warnings = warnings
        self._on_end = on_end
        self._deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._meter = RequestMeter()
        self._unparsed = bytearray()
        self._is_in_body = False
        self._body_in_piece = 0
        self._unread_bytes = 0
        self._refusal: RequestRefused | None = None
        self._content_length: int | None = None
        self._ends_after_response = False
        self._has_received = False
        # The response in progress. uvicorn's `cycle` is of the newest request.
        self._current: RequestResponseCycle | None = None

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        if self.client:
            self.client = (unmap_address(self.client[0]), self.client[1])
        self._set_deadline(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._clear_deadline()
        self._unparsed.clear()
        self._disconnect_current()
        self.resume_writing()
        super().connection_lost(exc)
        self.app = self._app  # Otherwise the connection would keep itself in memory.
        self._on_end()

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._has_received = True
        self._unparsed += data
        self._parse()
        if len(self._unparsed) > MAX_AHEAD_BYTES:
            cause = f"over {MAX_AHEAD_BYTES} bytes came before an earlier response"
            self._refuse(413, f"{cause}: wait for it")

    @property
    def _is_responding(self) -> bool:
        """Return whether a complete request still has no complete response."""
        is_open = self.cycle is not None and not self.cycle.response_complete
        return bool(self.pipeline) or (is_open and not self._is_in_body)

    @property
    def _rest_of_body(self) -> int:
        """Return the bytes that are still to come, 0 if it is unknown."""
        if self._content_length is None or not self._is_in_body:
            return 0
        return self._meter.count_rest(self._content_length)

    def _parse(self) -> None:
        """Parse pieces until a request is complete. The next one waits for its turn."""
        while self._unparsed and not self._is_responding:
            if self.transport.is_closing():
                return
            size = max(PIECE_BYTES, min(self._rest_of_body, MAX_BODY_PIECE_BYTES))
            piece = bytes(self._unparsed[:size])
            del self._unparsed[:size]
            self._parse_piece(piece)
        if not (self._deadline or self._is_responding or self.transport.is_closing()):
            self._set_deadline(HEAD_S)

    def _parse_piece(self, piece: bytes) -> None:
        self._body_in_piece = 0
        try:
            self.parser.feed_data(piece)
            rest = len(piece) - self._body_in_piece
            if self._is_in_body:
                self._meter.count_body(self._body_in_piece, rest)
            else:
                self._meter.count_head(rest)
        except httptools.HttpParserUpgrade as upgrade:
            # Servers may ignore an upgrade. Then the next request follows.
            self._unparsed[:0] = piece[upgrade.args[0] :]
        except httptools.HttpParserError:
            # A callback cannot raise through the parser.
            refusal = self._refusal
            status = refusal.status if refusal else 400
            self._refuse(status, str(refusal or "the request is not valid HTTP/1.1"))
        except RequestRefused as refusal:
            self._refuse(refusal.status, str(refusal))
        else:
            self._check_unread(len(piece))

    def _check_unread(self, size: int) -> None:
        """Close the connection if much of a request follows its response."""
        if not (self._is_in_body and self.cycle.response_complete):
            self._unread_bytes = 0
            return
        self._unread_bytes += size
        if self._unread_bytes > MAX_UNREAD_BYTES:
            self._close()

    def on_url(self, url: bytes) -> None:
        self._check(self._meter.count_url, len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._check(self._meter.count_header)
        if self._is_in_body:
            return  # Trailers must not become headers of the request.
        super().on_header(name, value)
        if name.lower() == b"content-length":
            self._content_length = int(value)

    def on_headers_complete(self) -> None:
        self._check(check_version, self.parser.get_http_version())
        previous = self.cycle
        super().on_headers_complete()
        if previous is None or previous.response_complete:
            self._current = self.cycle
        self._is_in_body = True
        self._set_deadline(BODY_S)

    def on_body(self, body: bytes) -> None:
        self._body_in_piece += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_in_body = False
        self._content_length = None
        self._meter = RequestMeter()
        self._clear_deadline()
        super().on_message_complete()
        if self._ends_after_response and self.cycle.response_complete:
            self._close()

    def on_response_complete(self) -> None:
        if self.pipeline:
            self._current = self.pipeline[-1][0]
        super().on_response_complete()
        if self.transport.is_closing():
            self._close()
        elif self._is_in_body and self.cycle.response_complete:
            self._set_deadline(UNREAD_S)
            if self._ends_after_response and self.transport.can_write_eof():
                self.transport.write_eof()
        elif self._ends_after_response:
            self._close()
        if self._unparsed:
            # Not at once: each request must wait for the other connections.
            self.loop.call_soon(self.data_received, b"")

    def pause_writing(self) -> None:
        super().pause_writing()
        # Otherwise an unknown client could take all connections. Others may pause.
        if self._current and ROLE not in self._current.scope:
            self._stall = self.loop.call_later(READ_S, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stall:
            self._stall.cancel()
            self._stall = None

    def timeout_keep_alive_handler(self) -> None:
        if not self.transport.is_closing():
            self._close()

    def _call_app(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        # Not a coroutine function, because every reader would keep one more.
        if scope["http_version"] == "1.0" and self._current:
            send = send_without_chunks(self._current)
        elif self._is_in_body and self._current and self._current is self.cycle:
            send = partial(self._send_early, self._current)
        return cast("Awaitable[None]", self._app(scope, receive, send))

    async def _send_early(self, cycle: RequestResponseCycle, message: Message) -> None:
        """Announce that the connection ends if the request has much more to come."""
        is_start = message["type"] == "http.response.start"
        is_long = self._content_length is None or self._rest_of_body > MAX_UNREAD_BYTES
        if not (is_start and self._is_in_body and is_long):
            return await cycle.send(message)  # type: ignore[arg-type]
        self._ends_after_response = True
        message["headers"] = [*message["headers"], (b"connection", b"close")]
        await cycle.send(message)  # type: ignore[arg-type]
        cycle.keep_alive = True  # uvicorn would close the connection too early.

    def _check(self, check: Callable[..., None], *values: Any) -> None:
        """Check within a callback of the parser, which replaces its errors."""
        try:
            check(*values)
        except RequestRefused as refusal:
            self._refusal = refusal
            raise

    def _set_deadline(self, seconds: float) -> None:
        self._clear_deadline()
        self._deadline = self.loop.call_later(seconds, self._end_late, seconds)

    def _clear_deadline(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    def _end_late(self, seconds: float) -> None:
        self._refuse(408, f"the request was not complete within {seconds:g} s")

    def _refuse(self, status: int, cause: str) -> None:
        """Close the connection, and send the cause unless a response has started."""
        if self.transport.is_closing():
            return
        if self._has_received:  # Browsers open spare connections.
            self._warnings.warn(self.client[0] if self.client else "", cause, status)
        if not self._has_begun_response:
            self.transport.write(build_refusal(status, cause))
        self._disconnect_current()
        self._close()

    @property
    def _has_begun_response(self) -> bool:
        """Return whether the newest request has at least a part of its response."""
        current = self._current
        if current is None or not current.response_started:
            return False
        return self._is_in_body or not current.response_complete

    def _disconnect_current(self) -> None:
        """Tell the application. uvicorn only does it for the newest request."""
        if self._current and not self._current.response_complete:
            self._current.disconnected = True
            self._current.message_event.set()

    def _close(self) -> None:
        self._unparsed.clear()
        self._clear_deadline()
        self.transport.close()
        # The client may never read the rest of the response.
        self._deadline = self.loop.call_later(CLOSE_S, self.transport.abort)
