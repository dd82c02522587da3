"""The gateway: its routes, and its start and stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..feed.feed import Feed
from .backend import Backend
from .dispatcher import Dispatcher
from .http_json import HttpJson
from .jsonrpc import JsonRpc
from .operations import Operations


class Gateway:
    """Call `run` in a task group. `find_agent` raises UnknownAgent."""

    def __init__(self, feed: Feed, find_agent: Callable[[str], Backend]) -> None:
        self._operations = Operations(feed, find_agent)
        self._stopping = asyncio.Event()

    def routes(self) -> list[Route]:
        dispatcher = Dispatcher(self._operations, self._stopping)
        return [*JsonRpc(dispatcher).routes(), *HttpJson(dispatcher).routes()]

    async def run(self) -> None:
        await self._operations.run()

    def stop(self) -> None:
        """End every stream and every waiting request. Messages still reach agents."""
        self._stopping.set()


def answer_client_gone(_: Request, error: Exception) -> Response:
    """Build the response for a client that has disconnected."""
    return Response(status_code=499)
