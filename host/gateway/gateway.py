"""Runs the operation of a JSON-RPC or HTTP+JSON request, and builds the response."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from ..feed.feed import Feed
from .backend import Backend
from .event_stream import Encoding, EventStream
from .operations import Call, Operation, Operations
from .requests import extension_headers, run_until_disconnect


class Gateway:
    """Start `run` in a task group. `find_agent` raises UnknownAgent."""

    def __init__(self, feed: Feed, find_agent: Callable[[str], Backend]) -> None:
        self.operations = Operations(feed, find_agent)
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        await self.operations.run()

    def stop(self) -> None:
        """End all streams and waiting requests. Pending messages still reach agents."""
        self._stopping.set()

    async def respond(
        self,
        request: Request,
        operation: Operation,
        params: Message | None,
        encoding: Encoding,
    ) -> ASGIApp:
        """Run the operation, and return its response.

        Raises the errors that the operation has before its first update.
        """
        agent = request.path_params["agent"]
        call = Call(agent, params, request.headers.get("last-event-id", ""))
        headers = extension_headers(request)
        if operation.streams:
            updates = operation.run(self.operations, call)
            # Before the first update, an error can still be sent as an HTTP status.
            work = partial(anext, updates, None)
            first = await run_until_disconnect(request, self._stopping, work)
            return EventStream(first or [], updates, encoding, self._stopping, headers)
        work = partial(operation.run, self.operations, call)
        result = encoding.result(
            await run_until_disconnect(request, self._stopping, work)
        )
        return Response(result, media_type="application/json", headers=headers)
