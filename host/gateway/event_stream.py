"""Streams A2A updates to one client as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import anyio
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from ..api.feed_stream import HEADERS
from ..api.responses import EXPECTED_ERRORS, HostStopping
from ..model.sse import PING, frame
from .a2a_updates import NumberedUpdate, Updates
from .requests import ClientGone, run_until_disconnect

PING_S = 15.0
CLOSE_TIMEOUT_S = 0.5


class Encoding(NamedTuple):
    """How a binding writes a result (an update or a response), and an error."""

    result: Callable[[bytes], bytes]
    error: Callable[[Exception], bytes]


@dataclass(eq=False)
class EventStream:
    """An ASGI response of server-sent events. Their ids are the updates' numbers."""

    first: list[NumberedUpdate]
    rest: Updates
    encoding: Encoding
    stopping: asyncio.Event
    headers: Mapping[str, str]
    _sending: anyio.Lock = field(default_factory=anyio.Lock)
    _sent_at: float = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        more = [(k.encode(), v.encode()) for k, v in self.headers.items()]
        headers = [*HEADERS, *more]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async with anyio.create_task_group() as group:
            group.start_soon(self._ping, send)
            with suppress(ClientGone, HostStopping):
                await run_until_disconnect(
                    Request(scope, receive), self.stopping, partial(self._write, send)
                )
            group.cancel_scope.cancel()
        with anyio.move_on_after(CLOSE_TIMEOUT_S):
            await send({"type": "http.response.body", "body": b""})

    async def _write(self, send: Send) -> None:
        async with aclosing(self.rest):
            try:
                if self.first:
                    await self._send(send, self._encode(self.first))
                async for updates in self.rest:
                    await self._send(send, self._encode(updates))
            except EXPECTED_ERRORS as error:
                data = self.encoding.error(error)
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
                self.encoding.result(update.json),
                event_id="" if update.number is None else str(update.number),
            )
            for update in updates
        )
