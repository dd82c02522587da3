"""Owns the readers' side of the feed over HTTP: /feed and /tasks/stream.

Plain ASGI, without a framework's layers between the ring and the socket: each of
them would wrap `send` once more for every reader.
"""

from __future__ import annotations

from collections.abc import Iterator

from starlette.datastructures import Headers, QueryParams
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from ..config.settings import is_number
from ..errors import QueryError
from ..feed.cursor import Start, parse, resolve_start
from ..feed.fanout import Fanout
from ..feed.feed import FAULT, Feed
from ..model.event import encode
from ..model.filter import Filter, Place
from ..model.sse import feed_frame

MAX_EVERY_MS = 1_000
RETRY = b"retry: 1000\n\n"
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-accel-buffering", b"no"),  # Else nginx holds frames back.
]


class FeedStream:
    """One SSE endpoint over the feed, as an ASGI application.

    With `lesson` it speaks the lesson's contract: task updates only, and instead
    of a snapshot the current row of each open task as an ordinary update.
    """

    def __init__(self, feed: Feed, fanout: Fanout, *, lesson: bool = False) -> None:
        self._feed = feed
        self._fanout = fanout
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
            where, every_s = self._where(query), every_of(query)
        except QueryError as error:
            return await PlainTextResponse(f"{error}\n", error.status)(
                scope, receive, send
            )
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        if scope["method"] == "HEAD":
            return await send({"type": "http.response.body", "body": b""})
        # The head and what is said of it must be of one moment: no await between.
        cursor = start.cursor if start and not start.reset else self._feed.head
        body = self._opening(where, start)
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await self._fanout.serve(where, cursor, receive, send, every_s)

    async def _start(self, headers: Headers, query: QueryParams) -> Start | None:
        """None for a reader without a cursor. Raises CursorError."""
        text = headers.get("last-event-id") or query.get("after")
        return resolve_start(parse(text), await self._feed.bounds()) if text else None

    def _where(self, query: QueryParams) -> Filter:
        where = filter_of(query)
        return where._replace(kind=frozenset({"task"})) if self._lesson else where

    def _opening(self, where: Filter, start: Start | None) -> bytes:
        """What comes before the first live event."""
        opening = RETRY
        if not start or start.reset:
            opening += self._joining(where, start.reset if start else None)
        if self._feed.fault and where.matches_kind(FAULT):
            opening += self._feed.fault_frame()
        return opening

    def _joining(self, where: Filter, reset: str | None) -> bytes:
        """What a reader gets that has no usable cursor."""
        if not self._lesson:
            return self._feed.snapshot(reset)
        return b"".join(self._open_rows(where))

    def _open_rows(self, where: Filter) -> Iterator[bytes]:
        for row in self._feed.board.open_tasks():
            if where.matches(Place(row.agent, row.task_id, row.context_id, "task")):
                yield feed_frame(self._feed.epoch, self._feed.head, encode(row))


def filter_of(query: QueryParams) -> Filter:
    """`agent=`, `task=`, `context=` and `kind=`, each repeatable."""
    return Filter._make(frozenset(query.getlist(name)) for name in Filter._fields)


def every_of(query: QueryParams) -> float:
    """`every_ms=`, in seconds. Raises QueryError."""
    text = query.get("every_ms") or "0"
    if not is_number(text) or int(text) > MAX_EVERY_MS:
        raise QueryError(f"every_ms={text[:20]!r} is not a number, 0 to {MAX_EVERY_MS}")
    return int(text) / 1000
