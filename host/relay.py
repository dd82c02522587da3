"""Owns the way down: A2A requests to `/a2a/{agent}/…`, passed on to that agent.

What comes of them is seen where everything is seen, in the feed; the answer here
is only A2A's own.
"""

from __future__ import annotations

import msgspec
from a2a.types import a2a_pb2 as pb
from google.protobuf.json_format import ParseDict, ParseError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from host.collector import Collector
from host.rest import json_object
from host.roster import Roster


class Relay:
    """Passes on to the agents that the roster follows."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster

    def routes(self) -> list[Route]:
        post = ["POST"]
        return [
            Route("/a2a/{agent}/message:send", self.send, methods=post),
            Route("/a2a/{agent}/tasks/{task_id}:cancel", self.cancel, methods=post),
        ]

    async def send(self, request: Request) -> Response:
        """A2A SendMessage: starts a task, or replies to one when it names it."""
        collector = self._collector(request)
        message = await _message(request)
        update = await collector.send(message)
        response = update.response
        if response.message is None and response.task is None and response.task_id:
            update = await collector.connection.get_task(response.task_id)
        return Response(update.raw, media_type="application/json")

    async def cancel(self, request: Request) -> Response:
        """A2A CancelTask; the task it answers with may not be cancelled."""
        collector = self._collector(request)
        update = await collector.cancel(request.path_params["task_id"])
        wrapped = msgspec.json.decode(update.raw, type=dict[str, msgspec.Raw])
        return Response(bytes(wrapped["task"]), media_type="application/json")

    def _collector(self, request: Request) -> Collector:
        return self._roster.collector(request.path_params["agent"])


async def _message(request: Request) -> pb.SendMessageRequest:
    """The body as an A2A request. Raises ParseError naming what is wrong."""
    message = pb.SendMessageRequest()
    ParseDict(await json_object(request), message)
    if not message.message.parts or not message.message.message_id:
        raise ParseError("message needs a messageId and at least one part")
    return message
