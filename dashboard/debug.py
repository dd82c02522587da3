"""Owns the page of the host's inside: feed, each collector, each reader, as they are.

The host hands it the state when it builds the app; no script, nothing moves by itself.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates

Inside = Callable[[], Awaitable[bytes]]
"""JSON as at /debug.json."""


class Debug:
    """GET /debug."""

    def __init__(self, inside: Inside, templates: Jinja2Templates) -> None:
        self._inside = inside
        self._templates = templates

    async def __call__(self, request: Request) -> Response:
        response = self._templates.TemplateResponse(
            request, "debug.html", json.loads(await self._inside())
        )
        response.headers["cache-control"] = "no-store"
        return response
