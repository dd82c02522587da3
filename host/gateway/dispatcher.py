"""Runs an operation for one HTTP request of either binding, and builds its response."""

from __future__ import annotations

import asyncio
from functools import partial

from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from .event_stream import Encoding, EventStream
from .operations import Call, Operation, Operations
from .requests import extension_headers, run_until_disconnect


class Dispatcher:
    """When `stopping` is set, every stream and every wait ends."""

    def __init__(self, operations: Operations, stopping: asyncio.Event) -> None:
        self.operations = operations
        self._stopping = stopping

    async def respond(
        self,
        request: Request,
        operation: Operation,
        params: Message | None,
        encoding: Encoding,
    ) -> ASGIApp:
        """Raises what the operation raises until its first update."""
        agent = request.path_params["agent"]
        call = Call(agent, params, request.headers.get("last-event-id", ""))
        headers = extension_headers(request)
        if operation.streams:
            updates = operation.run(self.operations, call)
            # Until the first update is there, an error can still be an HTTP status.
            work = partial(anext, updates, None)
            first = await run_until_disconnect(request, self._stopping, work)
            return EventStream(first or [], updates, encoding, self._stopping, headers)
        work = partial(operation.run, self.operations, call)
        result = await run_until_disconnect(request, self._stopping, work)
        return Response(
            encoding.result(result), media_type="application/json", headers=headers
        )
