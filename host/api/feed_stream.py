"""Serves the live feed as server-sent events: /feed and /tasks/stream.

Plain ASGI: each layer of a framework would wrap `send` once more for every reader.
"""

from __future__ import annotations

from starlette.datastructures import Headers, QueryParams
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from ..config.settings import is_number
from ..errors import LogError, QueryError
from ..feed.cursor import Start, parse, resolve_start
from ..feed.feed import FAULT, Feed
from ..feed.sse_fanout import Fanout
from ..model.filter import Filter
from .responses import SAFETY_HEADERS, add_safety_headers

MAX_EVERY_MS = 1_000
COMPLETED = b'"status":"completed","state":"TASK_STATE_COMPLETED","progress":'
NO_PROGRESS = b'"progress":null'
RETRY = b"retry: 1000\n\n"
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # Keeps nginx from buffering.
    *SAFETY_HEADERS,
]


class FeedStream:
    """One endpoint, as an ASGI application.

    With `lesson`, it serves the format of the lesson: task updates only, in which
    `progress` is always a number. Instead of a snapshot, it sends the current row of
    each open task as an ordinary update.
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
            return await refusal(scope, receive, add_safety_headers(send))
        send = _with_progress(send) if self._lesson else send
        query = QueryParams(scope["query_string"])
        try:
            start = await self._parse_start(Headers(scope=scope), query)
            where, every_s = self._parse_filter(query), parse_every(query)
        except (QueryError, LogError) as error:
            refusal = PlainTextResponse(f"{error}\n", error.status)
            return await refusal(scope, receive, add_safety_headers(send))
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        if scope["method"] == "HEAD":
            return await send({"type": "http.response.body", "body": b""})
        first = RETRY
        if start and not start.reset and self._feed.fault and where.matches_kind(FAULT):
            first += self._feed.fault_frame()
        await send({"type": "http.response.body", "body": first, "more_body": True})
        with self._feed.audience.join(where):
            await self._serve(start, where, every_s, receive=receive, send=send)

    async def _serve(
        self,
        start: Start | None,
        where: Filter,
        every_s: float,
        *,
        receive: Receive,
        send: Send,
    ) -> None:
        opening = None
        if start and not start.reset:
            cursor = start.cursor
        else:
            snapshot = self._feed.snapshot()
            cursor, epoch = snapshot.id, self._feed.epoch
            opening = (
                snapshot.open_rows(epoch, where)
                if self._lesson
                else snapshot.frame(epoch, start.reset if start else None)
            )
            del snapshot  # Only the opening keeps it in memory, until it is sent.
        await self._fanout.serve(
            where, cursor, receive, send, every_s=every_s, opening=opening
        )

    async def _parse_start(self, headers: Headers, query: QueryParams) -> Start | None:
        """Return None for a reader without a cursor. Raises CursorError."""
        text = headers.get("last-event-id") or query.get("after")
        return resolve_start(parse(text), await self._feed.bounds()) if text else None

    def _parse_filter(self, query: QueryParams) -> Filter:
        where = parse_filter(query)
        return where._replace(kind=frozenset({"task"})) if self._lesson else where


def _with_progress(send: Send) -> Send:
    """Replace `null`: a page would show it as "null%"."""

    async def send_numbers(message: Message) -> None:
        body = message.get("body", b"")
        if NO_PROGRESS in body:
            body = body.replace(COMPLETED + b"null", COMPLETED + b"100")
            body = body.replace(NO_PROGRESS, b'"progress":0')
            message = {**message, "body": body}
        await send(message)

    return send_numbers


def parse_filter(query: QueryParams) -> Filter:
    """Parse `agent=`, `task=`, `context=` and `kind=`, each repeatable."""
    return Filter._make(frozenset(query.getlist(name)) for name in Filter._fields)


def parse_every(query: QueryParams) -> float:
    """Parse `every_ms=`, and return seconds. Raises QueryError."""
    text = query.get("every_ms") or "0"
    if not is_number(text) or int(text) > MAX_EVERY_MS:
        raise QueryError(
            f"every_ms={text[:20]!r} is not a number from 0 to {MAX_EVERY_MS}"
        )
    return int(text) / 1000
