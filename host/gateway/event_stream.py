"""Streams A2A updates to one client as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from functools import partial
from typing import NamedTuple

import anyio
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..api.feed_stream import HEADERS
from ..api.responses import EXPECTED_ERRORS, HostStopping
from ..model.sse import PING, frame
from .a2a_updates import NumberedUpdate
from .requests import ClientGone, run_until_disconnect

PING_S = 15.0
CLOSE_TIMEOUT_S = 0.5

Updates = AsyncGenerator[list[NumberedUpdate]]


class Encoding(NamedTuple):
    """How a binding writes a result (an update or a response), and an error."""

    result: Callable[[bytes], bytes]
    error: Callable[[Exception], bytes]


async def open_stream(
    updates: Updates,
    encoding: Encoding,
    *,
    request: Request,
    stopping: asyncio.Event,
    headers: Mapping[str, str],
) -> Response:
    """Wait for the first of the updates, and return the response that streams all.

    What `updates` raises until then is raised here: it can still be an HTTP status.
    """

    async def read_first() -> list[NumberedUpdate] | None:
        return await anext(updates, None)

    first = await run_until_disconnect(request, stopping, read_first)
    return EventStream(first or [], updates, encoding, stopping, headers)


class EventStream(Response):
    """Server-sent events. Their ids are the numbers of the updates."""

    def __init__(
        self,
        first: list[NumberedUpdate],
        rest: Updates,
        encoding: Encoding,
        stopping: asyncio.Event,
        headers: Mapping[str, str],
    ) -> None:
        self.status_code = 200
        self.background = None
        self._first = first
        self._rest = rest
        self._encoding = encoding
        self._stopping = stopping
        extra = [(k.encode(), v.encode()) for k, v in headers.items()]
        self._start_headers = [*HEADERS, *extra]
        self._sending = anyio.Lock()
        self._sent_at = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {
            "type": "http.response.start",
            "status": 200,
            "headers": self._start_headers,
        }
        await send(start)
        async with anyio.create_task_group() as group:
            group.start_soon(self._ping, send)
            with suppress(ClientGone, HostStopping):
                await run_until_disconnect(
                    Request(scope, receive), self._stopping, partial(self._write, send)
                )
            group.cancel_scope.cancel()
        with anyio.move_on_after(CLOSE_TIMEOUT_S):
            await send({"type": "http.response.body", "body": b""})

    async def _write(self, send: Send) -> None:
        async with aclosing(self._rest):
            try:
                if self._first:
                    await self._send(send, self._encode(self._first))
                async for updates in self._rest:
                    await self._send(send, self._encode(updates))
            except EXPECTED_ERRORS as error:
                data = self._encoding.error(error)
                await self._send(send, frame(data, name="error"))

    async def _ping(self, send: Send) -> None:
        while True:
            await anyio.sleep_until(self._sent_at + PING_S)
            if anyio.current_time() >= self._sent_at + PING_S:
                await self._send(send, PING)

    async def _send(self, send: Send, data: bytes) -> None:
        async with self._sending:
            self._sent_at = anyio.current_time()
            await send({"type": "http.response.body", "body": data, "more_body": True})

    def _encode(self, updates: list[NumberedUpdate]) -> bytes:
        return b"".join(
            # A Message, and a Task as the agent sent it, has no number.
            frame(
                self._encoding.result(update.json),
                event_id="" if update.number is None else str(update.number),
            )
            for update in updates
        )
