"""Owns the board as plain HTML, for browsers without JavaScript: agents and tasks now.

The host hands it the state when it builds the app; nothing here moves by itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates

Json = dict[str, Any]
State = Callable[[], bytes]
"""JSON: `agents` and `tasks`, each a list of rows as in the feed's snapshot."""

MAX_FINISHED = 100  # More than anyone reads; the feed has the rest.
# As words.js has them, with characters in place of drawings.
STATUS = {
    "submitted": ("◌", "submitted"),
    "running": ("◐", "running"),
    "input-required": ("?", "needs input"),
    "auth-required": ("?", "needs sign-in"),
    "completed": ("✓", "completed"),
    "error": ("✕", "failed"),
    "rejected": ("−", "rejected"),
    "cancelled": ("■", "cancelled"),
    "connecting": ("◌", "connecting"),
    "connected": ("●", "connected"),
    "lost": ("✕", "lost"),
}
OVER = ("completed", "error", "rejected", "cancelled")
WAITING = ("input-required", "auth-required")


class Board:
    """GET /board."""

    def __init__(self, state: State, templates: Jinja2Templates) -> None:
        self._state = state
        self._templates = templates

    async def __call__(self, request: Request) -> Response:
        now = datetime.now(timezone.utc)
        context = {
            **view_of(json.loads(self._state())),
            "now": f"{now:%Y-%m-%d %H:%M:%S} UTC",
        }
        response = self._templates.TemplateResponse(request, "board.html", context)
        response.headers["cache-control"] = "no-store"
        return response


def view_of(state: Json) -> Json:
    """What the template shows: who needs you, then what is open, then the newest."""
    agents = [row for row in state["agents"] if row["connection"] != "removed"]
    newest = sorted(state["tasks"], key=lambda row: row["received_at"], reverse=True)
    finished = [row for row in newest if row["status"] in OVER]
    still = [row for row in newest if row["status"] not in OVER]
    still.sort(key=lambda row: row["status"] not in WAITING)
    return {
        "agents": agents,
        "titles": {row["agent"]: row.get("title") or row["agent"] for row in agents},
        "tasks": still + finished[:MAX_FINISHED],
        "left_out": max(0, len(finished) - MAX_FINISHED),
        "open": len(still),
        "words": STATUS,
    }
