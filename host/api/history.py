"""Serves stored events: /feed.ndjson with filters and search, and /feed/{event_id}."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

import msgspec
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ..config.settings import is_number
from ..errors import CursorExpired, LogError
from ..feed.cursor import parse
from ..feed.feed import Feed
from ..feed.search import Search, parse_search, search
from ..log.contract import Row
from ..model.event import with_id
from ..model.filter import ALL, Filter
from .feed_stream import parse_filter
from .responses import Error, describe_error

PAGE = 1_000
MAX_LIMIT = 10_000  # A response with a limit is in memory; without one, it streams.
NDJSON = "application/x-ndjson"
NEXT = "courtside-next"
"""A response header: the `before` or `after` with which to continue a search."""


class HistoryApi:
    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def routes(self) -> list[Route]:
        return [
            Route("/feed.ndjson", self.ndjson),
            Route("/feed/{event_id}", self.event),
        ]

    async def ndjson(self, request: Request) -> Response:
        """Respond with one event per line, oldest first.

        With `after`: the first ones after it. Else: the last ones before `before`.
        Without a limit, all of them are streamed. If the log fails meanwhile, the last
        line is an error.
        """
        query = request.query_params
        limit = _parse_limit(query.get("limit"))
        where, wanted = parse_filter(query), parse_search(query)
        after = await self._parse_id(query, "after")
        before = await self._parse_id(query, "before")
        if wanted and limit is not None:
            found = await search(self._feed, after, before, limit, where, wanted)
            headers = {} if found.next is None else {NEXT: str(found.next)}
            return Response(_to_lines(found.rows), media_type=NDJSON, headers=headers)
        if after is None and limit is not None:
            rows = await self._feed.history(None, before, limit, where)
            return Response(_to_lines(rows), media_type=NDJSON)
        wanted = wanted or Search()
        lines = self._stream_lines(after or 0, before, limit, where, wanted)
        return StreamingResponse(lines, media_type=NDJSON)

    async def _stream_lines(
        self,
        after: int,
        before: int | None,
        limit: int | None,
        where: Filter,
        wanted: Search,
    ) -> AsyncIterator[bytes]:
        left = sys.maxsize if limit is None else limit
        while left > 0:
            try:
                rows = await self._feed.history(after, before, min(PAGE, left), where)
            except LogError as error:
                # The status is already sent. The last line says what is missing.
                status, _code = describe_error(error)
                yield msgspec.json.encode(Error(status)) + b"\n"
                return
            kept = await self._feed.bounds()
            if 0 < after < kept.first - 1:
                # The status is already sent, so the response ends incomplete.
                raise CursorExpired(
                    f"/feed.ndjson stopped at event {after}: events up to "
                    f"{kept.first - 1} were removed meanwhile"
                )
            if not rows:
                return
            if lines := _to_lines([row for row in rows if wanted.matches(row)]):
                yield lines
            after = rows[-1].id
            left -= len(rows)

    async def _parse_id(self, query: QueryParams, name: str) -> int | None:
        """Raises CursorError, and CursorExpired if events after the id are removed."""
        text = query.get(name)
        if not text:
            return None
        cursor, kept = parse(text), await self._feed.bounds()
        if cursor.epoch not in (None, kept.epoch):
            raise CursorExpired(
                f"{name}={text} belongs to another log; the epoch of this log is "
                f"{kept.epoch}"
            )
        if name == "after" and 0 < cursor.id < kept.first - 1:
            raise CursorExpired(
                f"events up to {kept.first - 1} are no longer kept: use after=0 to "
                "read all stored events"
            )
        return cursor.id

    async def event(self, request: Request) -> Response:
        """Respond with one event, and the A2A update that it was made from."""
        text = request.path_params["event_id"]
        cursor, kept = parse(text), await self._feed.bounds()
        rows = await self._feed.history(cursor.id - 1, cursor.id + 1, 1, ALL)
        if not rows or cursor.epoch not in (None, kept.epoch):
            raise HTTPException(404, f"event {text} is not in the log")
        raw = await self._feed.raw(cursor.id)
        event = with_id(cursor.id, rows[0].body)
        body = b'{"event":%b,"raw":%b}' % (event, raw or b"null")
        return Response(body, media_type="application/json")


def _to_lines(rows: list[Row]) -> bytes:
    return b"".join(with_id(row.id, row.body) + b"\n" for row in rows)


def _parse_limit(text: str | None) -> int | None:
    if text is None:
        return None
    if not is_number(text) or not 0 < int(text) <= MAX_LIMIT:
        raise HTTPException(
            400, f"limit={text[:20]!r} is not a number from 1 to {MAX_LIMIT}"
        )
    return int(text)
