"""Serve `/board`: agents and tasks as plain HTML, for browsers without JavaScript.

The host passes in a function that returns the current state. The page does not update
itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates

Json = dict[str, Any]
BoardState = Callable[[], bytes]
"""Returns JSON: `agents` and `tasks`, each a list of rows as in the feed's snapshot."""

MAX_FINISHED = 100
# The labels of state/labels.js, with characters instead of icons.
STATUS = {
    "submitted": ("◌", "submitted"),
    "running": ("◐", "running"),
    "input-required": ("?", "needs input"),
    "auth-required": ("?", "needs sign-in"),
    "completed": ("✓", "completed"),
    "error": ("✕", "failed"),
    "rejected": ("−", "rejected"),
    "cancelled": ("■", "cancelled"),
    "stalled": ("⧖", "stalled"),
    "continued": ("↻", "continued"),
    "connecting": ("◌", "connecting"),
    "connected": ("●", "connected"),
    "lost": ("✕", "lost"),
}
OVER = ("completed", "error", "rejected", "cancelled", "continued")
WAITING = ("input-required", "auth-required")


@dataclass(frozen=True)
class BoardPage:
    """GET /board."""

    state: BoardState
    templates: Jinja2Templates

    async def __call__(self, request: Request) -> Response:
        context = _build_context(json.loads(self.state()))
        return self.templates.TemplateResponse(
            request, "board.html", context, headers={"cache-control": "no-store"}
        )


def _build_context(state: Json) -> Json:
    """Build the template's context: waiting tasks first, then open, then the newest."""
    agents = [row for row in state["agents"] if row["connection"] != "removed"]
    newest = sorted(state["tasks"], key=lambda row: row["received_at"], reverse=True)
    for row in newest:
        if row.get("continued_by"):
            row["status"] = "continued"  # Another task has the answer.
    finished = [row for row in newest if row["status"] in OVER]
    open_tasks = [row for row in newest if row["status"] not in OVER]
    open_tasks.sort(key=lambda row: row["status"] not in WAITING)
    return {
        "agents": agents,
        "titles": {row["agent"]: row.get("title") or row["agent"] for row in agents},
        "tasks": open_tasks + finished[:MAX_FINISHED],
        "hidden_count": max(0, len(finished) - MAX_FINISHED),
        "open": len(open_tasks),
        "labels": STATUS,
        "now": f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M:%S} UTC",
    }
