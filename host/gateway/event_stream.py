"""Owns a stream of updates on its way to one client, as server-sent events.

The bindings say how an update is wrapped; it ends cleanly when the host is stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import NamedTuple

import anyio
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..api.feed_stream import HEADERS
from ..api.responses import EXPECTED_ERRORS
from ..model.sse import PING, frame
from .requests import run_until_disconnect, wait_for_disconnect
from .task_updates import Numbered

PING_S = 15.0
LAST_WORDS_S = 0.5

Updates = AsyncGenerator[list[Numbered]]


class Words(NamedTuple):
    """How a binding words an update (a StreamResponse's JSON), and an error."""

    update: Callable[[bytes], bytes]
    error: Callable[[Exception], bytes]


async def opened(
    request: Request,
    ending: asyncio.Event,
    updates: Updates,
    words: Words,
    headers: Mapping[str, str],
) -> Response:
    """The response, once the first of the updates is there.

    Until then whatever they raise is raised here, while it can be an HTTP status.
    """

    async def begin() -> list[Numbered] | None:
        return await anext(updates, None)

    first = await run_until_disconnect(request, ending, begin)
    return EventStream(first, updates, words, ending, headers)


class EventStream(Response):
    """Server-sent events whose ids are the updates' numbers. WHATWG HTML 9.2."""

    def __init__(
        self,
        first: list[Numbered] | None,
        rest: Updates,
        words: Words,
        ending: asyncio.Event,
        headers: Mapping[str, str],
    ) -> None:
        self.status_code = 200
        self.background = None
        self._first = first
        self._rest = rest
        self._words = words
        self._ending = ending
        self._more = [(k.encode(), v.encode()) for k, v in headers.items()]
        self._sending = anyio.Lock()
        self._sent_at = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [*HEADERS, *self._more],
            }
        )
        async with anyio.create_task_group() as group:

            async def until_gone() -> None:
                await wait_for_disconnect(Request(scope, receive))
                group.cancel_scope.cancel()

            async def until_ending() -> None:
                await self._ending.wait()
                group.cancel_scope.cancel()

            group.start_soon(until_gone)
            group.start_soon(until_ending)
            group.start_soon(self._ping, send)
            async with aclosing(self._rest):
                await self._write(send)
            group.cancel_scope.cancel()
        with anyio.move_on_after(LAST_WORDS_S):
            await send({"type": "http.response.body", "body": b""})

    async def _write(self, send: Send) -> None:
        try:
            if self._first:
                await self._send(send, self._encoded(self._first))
                self._first = None
            async for updates in self._rest:
                await self._send(send, self._encoded(updates))
        except EXPECTED_ERRORS as error:
            said = self._words.error(error)
            await self._send(send, frame(said, name="error"))

    async def _ping(self, send: Send) -> None:
        while True:
            await anyio.sleep_until(self._sent_at + PING_S)
            if anyio.current_time() >= self._sent_at + PING_S:
                await self._send(send, PING)

    async def _send(self, send: Send, data: bytes) -> None:
        async with self._sending:
            self._sent_at = anyio.current_time()
            await send({"type": "http.response.body", "body": data, "more_body": True})

    def _encoded(self, updates: list[Numbered]) -> bytes:
        return b"".join(
            # A Message, and a Task as the agent sent it, has no number.
            frame(
                self._words.update(update.json),
                event_id="" if update.number is None else str(update.number),
            )
            for update in updates
        )
