"""Owns what is read of the feed at rest: history, single events, agents, health.

Ordinary Starlette routes; the live endpoints are in stream.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from host.cursor import start_of
from host.event import with_id
from host.feed import Feed
from host.filter import Filter
from host.log import Row
from host.stream import filter_of

PAGE = 1_000
NDJSON = "application/x-ndjson"


class History:
    """Reads the feed for `routes`."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed

    def routes(self) -> list[Route]:
        return [
            Route("/feed.ndjson", self.ndjson),
            Route("/feed/{event_id}", self.event),
            Route("/agents", self.agents),
            Route("/healthz", self.healthz),
        ]

    async def ndjson(self, request: Request) -> Response:
        """One event a line, oldest first: the first past `after`, else the last."""
        query = request.query_params
        after = await self._id(query, "after")
        before = await self._id(query, "before")
        limit = _limit(query.get("limit"))
        where = filter_of(query)
        if after is None and limit is not None:
            rows = await self._feed.history(None, before, limit, where)
            return Response(_lines(rows), media_type=NDJSON)
        pages = self._pages(after or 0, before, limit, where)
        return StreamingResponse(pages, media_type=NDJSON)

    async def _pages(
        self, after: int, before: int | None, limit: int | None, where: Filter
    ) -> AsyncIterator[bytes]:
        left = limit
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            rows = await self._feed.history(after, before, size, where)
            if not rows:
                return
            yield _lines(rows)
            after = rows[-1].id
            left = None if left is None else left - len(rows)

    async def _id(self, query: QueryParams, name: str) -> int | None:
        text = query.get(name)
        return start_of(text, await self._feed.bounds()).cursor if text else None

    async def event(self, request: Request) -> Response:
        """One event with the A2A update behind it."""
        text = request.path_params["event_id"]
        wanted = await self._id(QueryParams({"id": text}), "id") or 0
        rows = await self._feed.history(wanted - 1, wanted + 1, 1, Filter())
        if not rows:
            raise HTTPException(404, f"event {text} is not in the log")
        raw = await self._feed.raw(wanted)
        body = b'{"event":%b,"raw":%b}' % (
            with_id(wanted, rows[0].body),
            raw or b"null",
        )
        return Response(body, media_type="application/json")

    async def agents(self, request: Request) -> Response:
        """The current row of every agent."""
        return _json({"agents": list(self._feed.board.agents.values())})

    async def healthz(self, request: Request) -> Response:
        """200 while the log can be written, else 503 with the cause."""
        feed = self._feed
        agents = {name: row.connection for name, row in feed.board.agents.items()}
        status = "failing" if feed.fault else "ok"
        state = {
            "status": status,
            "cause": feed.fault,
            "epoch": feed.epoch,
            "head": feed.head,
            "agents": agents,
        }
        return _json(state, 503 if feed.fault else 200)


def _json(value: object, status: int = 200) -> Response:
    body = msgspec.json.encode(value)
    return Response(body, status, media_type="application/json")


def _lines(rows: list[Row]) -> bytes:
    return b"".join(with_id(row.id, row.body) + b"\n" for row in rows)


def _limit(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdigit() or not int(text):
        raise HTTPException(400, f"limit={text!r} is not a number of events above 0")
    return int(text)
