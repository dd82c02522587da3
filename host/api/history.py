"""Owns what is read of the feed at rest: history, single events, agents, health.

Ordinary Starlette routes; the live endpoints are in stream.py.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ..config.agent_settings import HOST_NAME
from ..config.settings import is_number
from ..errors import CursorExpired
from ..feed.cursor import parse
from ..feed.feed import Feed
from ..feed.search import Search, parse_search, search
from ..following.reloader import Reloader
from ..log.contract import Row
from ..model.event import AgentEvent, with_id
from ..model.filter import ALL, Filter
from .feed_stream import filter_of
from .responses import json_response
from .sessions import get_role

PAGE = 1_000
MAX_LIMIT = 10_000  # What one answer holds in memory; without a limit it streams.
NDJSON = "application/x-ndjson"
NEXT = "courtside-next"
"""Of a search that is not through: the `before` or `after` to go on with."""


class History:
    """Reads the feed for `routes`."""

    def __init__(self, feed: Feed, reloader: Reloader) -> None:
        self._feed = feed
        self._reloader = reloader

    def routes(self) -> list[Route]:
        return [
            Route("/feed.ndjson", self.ndjson),
            Route("/feed/{event_id}", self.event),
            Route("/agents", self.agents),
            Route("/healthz", self.healthz),
        ]

    async def ndjson(self, request: Request) -> Response:
        """One event a line, oldest first: the first past `after`, else the last.

        Without a limit all of them, as a stream.
        """
        query = request.query_params
        after = await self._id(query, "after")
        before = await self._id(query, "before")
        limit = _limit(query.get("limit"))
        where, wanted = filter_of(query), parse_search(query)
        if wanted and limit is not None:
            found = await search(self._feed, after, before, limit, where, wanted)
            more = {} if found.next is None else {NEXT: str(found.next)}
            return Response(_lines(found.rows), media_type=NDJSON, headers=more)
        if after is None and limit is not None:
            rows = await self._feed.history(None, before, limit, where)
            return Response(_lines(rows), media_type=NDJSON)
        pages = self._pages(after or 0, before, limit, where, wanted or Search())
        return StreamingResponse(pages, media_type=NDJSON)

    async def _pages(
        self,
        after: int,
        before: int | None,
        limit: int | None,
        where: Filter,
        wanted: Search,
    ) -> AsyncIterator[bytes]:
        left = sys.maxsize if limit is None else limit
        while left > 0:
            size = min(PAGE, left)
            rows = await self._feed.history(after, before, size, where)
            kept = await self._feed.bounds()
            if 0 < after < kept.first - 1:
                # Too late for a status: the answer breaks off, it does not skip.
                raise CursorExpired(
                    f"/feed.ndjson breaks off at {after}: events up to "
                    f"{kept.first - 1} are gone meanwhile"
                )
            if not rows:
                return
            if lines := _lines([row for row in rows if wanted.matches(row)]):
                yield lines
            after = rows[-1].id
            left -= len(rows)

    async def _id(self, query: QueryParams, name: str) -> int | None:
        """An id of this log. Raises CursorExpired where an answer would skip some."""
        text = query.get(name)
        if not text:
            return None
        cursor, kept = parse(text), await self._feed.bounds()
        if cursor.epoch not in (None, kept.epoch):
            raise CursorExpired(f"{name}={text} is of another log than {kept.epoch}")
        if name == "after" and 0 < cursor.id < kept.first - 1:
            raise CursorExpired(
                f"events up to {kept.first - 1} are no longer kept: use after=0 for "
                "all that is"
            )
        return cursor.id

    async def event(self, request: Request) -> Response:
        """One event with the A2A update behind it."""
        text = request.path_params["event_id"]
        cursor, kept = parse(text), await self._feed.bounds()
        rows = await self._feed.history(cursor.id - 1, cursor.id + 1, 1, ALL)
        if not rows or cursor.epoch not in (None, kept.epoch):
            raise HTTPException(404, f"event {text} is not in the log")
        raw = await self._feed.raw(cursor.id)
        body = b'{"event":%b,"raw":%b}' % (
            with_id(cursor.id, rows[0].body),
            raw or b"null",
        )
        return Response(body, media_type="application/json")

    async def agents(self, request: Request) -> Response:
        """The current row of every agent that is followed."""
        return json_response({"agents": self._followed()})

    def _followed(self) -> list[AgentEvent]:
        """The board has the host itself, too, and who was removed: its history can
        still be read."""
        rows = self._feed.board.agents.values()
        return [
            row
            for row in rows
            if row.connection != "removed" and row.agent != HOST_NAME
        ]

    async def healthz(self, request: Request) -> Response:
        """200 while the log can be written, else 503 with the cause.

        `config` is what is wrong with courtside.toml as it is now, if anything is. A
        stranger to a host that has a token is told the status alone.
        """
        feed = self._feed
        status = "failing" if feed.fault else "ok"
        if get_role(request.scope) is None:
            return json_response({"status": status}, 503 if feed.fault else 200)
        agents = {row.agent: row.connection for row in self._followed()}
        state = {
            "status": status,
            "cause": feed.fault,
            "config": self._reloader.trouble,
            "epoch": feed.epoch,
            "head": feed.head,
            "agents": agents,
        }
        return json_response(state, 503 if feed.fault else 200)


def _lines(rows: list[Row]) -> bytes:
    return b"".join(with_id(row.id, row.body) + b"\n" for row in rows)


def _limit(text: str | None) -> int | None:
    if text is None:
        return None
    if not is_number(text) or not 0 < int(text) <= MAX_LIMIT:
        raise HTTPException(
            400, f"limit={text[:20]!r} is not a number, 1 to {MAX_LIMIT}"
        )
    return int(text)
