"""Serve `/debug`: the host's internal state as plain HTML.

The host passes in a function that returns the state. The page does not update itself.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates

DebugState = Callable[[], Awaitable[bytes]]
"""Returns the JSON of `/debug.json`."""


@dataclass(frozen=True)
class DebugPage:
    """GET /debug."""

    state: DebugState
    templates: Jinja2Templates

    async def __call__(self, request: Request) -> Response:
        context = json.loads(await self.state())
        return self.templates.TemplateResponse(
            request, "debug.html", context, headers={"cache-control": "no-store"}
        )
