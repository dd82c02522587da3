"""Serves `/openapi.json` and `/feed.schema.json`. Both are built once, when the host
starts.
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .document import document
from .feed_schema import schema

__all__ = ["Reference", "document", "schema"]

HEADERS = {"cache-control": "no-cache"}


class Reference:
    """The endpoints of both documents."""

    def __init__(self) -> None:
        self._openapi = msgspec.json.encode(document())
        self._feed_schema = msgspec.json.encode(schema())

    def routes(self) -> list[Route]:
        return [
            Route("/openapi.json", self.openapi),
            Route("/feed.schema.json", self.feed_schema),
        ]

    async def openapi(self, _: Request) -> Response:
        return Response(self._openapi, 200, HEADERS, "application/json")

    async def feed_schema(self, _: Request) -> Response:
        return Response(self._feed_schema, 200, HEADERS, "application/schema+json")
