"""Serve `/debug`: the host's internal state as plain HTML.

The host passes in a function that returns the state. The page does not update itself.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates

DebugState = Callable[[], Awaitable[bytes]]
"""Returns the JSON of `/debug.json`."""


class DebugPage:
    """GET /debug."""

    def __init__(self, state: DebugState, templates: Jinja2Templates) -> None:
        self._state = state
        self._templates = templates

    async def __call__(self, request: Request) -> Response:
        response = self._templates.TemplateResponse(
            request, "debug.html", json.loads(await self._state())
        )
        response.headers["cache-control"] = "no-store"
        return response
