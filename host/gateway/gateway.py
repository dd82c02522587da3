"""Owns the host's A2A doors: every agent at `/a2a/{agent}`, resumable whatever it is.

    JSON-RPC (jsonrpc) ─┐                ┌─ sends ⇒ Backend: a collector, or the host
    HTTP+JSON (http_json)┴─ operations ──┤
    server-sent events (events) ◄────────┴─ tape ◄ watch ◄ feed

The wiring makes a Gateway of the feed and a way to find who is called by a name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..feed.feed import Feed
from .backend import Backend
from .http_json import HttpJson
from .jsonrpc import JsonRpc
from .operations import Operations
from .requests import ClientGone

__all__ = ["Backend", "ClientGone", "Gateway", "answer_client_gone"]


class Gateway:
    """`run` it in a task group. `find` raises UnknownAgent for a name it has not."""

    def __init__(self, feed: Feed, find: Callable[[str], Backend]) -> None:
        self._operations = Operations(feed, find)
        self._ending = asyncio.Event()

    def routes(self) -> list[Route]:
        doors = [door(self._operations, self._ending) for door in (JsonRpc, HttpJson)]
        return [route for door in doors for route in door.routes()]

    async def run(self) -> None:
        await self._operations.run()

    def stop(self) -> None:
        """Ends every stream and every wait; what was sent down goes on."""
        self._ending.set()


def answer_client_gone(_: Request, error: Exception) -> Response:
    """The answer to a client that has gone away."""
    return Response(status_code=499)
