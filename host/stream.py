"""Owns the readers' side of the feed over HTTP: /feed and /tasks/stream.

Plain ASGI, without a framework's layers between the ring and the socket: each of
them would wrap `send` once more for every reader.
"""

from __future__ import annotations

from collections.abc import Iterator

import anyio
from starlette.datastructures import Headers, QueryParams
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from host.cursor import Start, start_of
from host.errors import CursorError
from host.event import encode, frame
from host.feed import Feed, FeedClosed
from host.filter import Filter

PING_S = 15.0
OPENING = b"retry: 1000\n\n"
PING = b": ping\n\n"
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # Else nginx holds frames back.
]


class FeedStream:
    """One SSE endpoint over the feed, as an ASGI application.

    With `lesson` it speaks the lesson's contract: task updates only, and instead
    of a snapshot the current row of each open task as an ordinary update.
    """

    def __init__(self, feed: Feed, *, lesson: bool = False) -> None:
        self._feed = feed
        self._lesson = lesson

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            refusal = PlainTextResponse(
                "use GET to read the feed\n", 405, {"allow": "GET, HEAD"}
            )
            return await refusal(scope, receive, send)
        query = QueryParams(scope["query_string"])
        try:
            start = await self._start(Headers(scope=scope), query)
        except CursorError as error:
            return await PlainTextResponse(f"{error}\n", 400)(scope, receive, send)
        head = {"type": "http.response.start", "status": 200, "headers": HEADERS}
        await send(head)
        if scope["method"] == "HEAD":
            return await send({"type": "http.response.body", "body": b""})
        await self._serve(filter_of(query), start, receive, send)

    async def _start(self, headers: Headers, query: QueryParams) -> Start | None:
        """None for a reader without a cursor. Raises CursorError."""
        text = headers.get("last-event-id") or query.get("after")
        return start_of(text, await self._feed.bounds()) if text else None

    async def _serve(
        self, where: Filter, start: Start | None, receive: Receive, send: Send
    ) -> None:
        """Until the reader goes away or the host shuts down."""
        async with anyio.create_task_group() as group:

            async def leave_when_it_does() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                group.cancel_scope.cancel()

            group.start_soon(leave_when_it_does)
            try:
                await self._write(where, start, send)
            except FeedClosed:
                await send({"type": "http.response.body", "body": b""})
            group.cancel_scope.cancel()

    async def _write(self, where: Filter, start: Start | None, send: Send) -> None:
        async def body(data: bytes) -> None:
            await send({"type": "http.response.body", "body": data, "more_body": True})

        if self._lesson:
            where = where._replace(kind=frozenset({"task"}))
        cursor = start.cursor if start else self._feed.head
        opening = OPENING
        if start is None or start.reset:
            cursor = self._feed.head
            opening += self._joining(where, start.reset if start else None)
        await body(opening)
        while True:
            cursor, frames = await self._feed.after(cursor, where)
            if frames:
                await body(b"".join(frames))
            while cursor >= self._feed.head:
                with anyio.move_on_after(PING_S) as patience:
                    await self._feed.wait(cursor)
                if patience.cancelled_caught:
                    await body(PING)

    def _joining(self, where: Filter, reset: str | None) -> bytes:
        """What a reader gets that has no usable cursor."""
        if not self._lesson:
            return self._feed.snapshot(reset)
        return b"".join(self._open_rows(where))

    def _open_rows(self, where: Filter) -> Iterator[bytes]:
        for row in self._feed.board.open_tasks():
            if where.wants(row.agent, row.task_id, row.context_id, "task"):
                yield frame(self._feed.epoch, self._feed.head, encode(row))


def filter_of(query: QueryParams) -> Filter:
    """`agent=`, `task=`, `context=` and `kind=`, each repeatable."""
    return Filter._make(frozenset(query.getlist(name)) for name in Filter._fields)
