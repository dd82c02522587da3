"""Owns the way down: A2A requests to `/a2a/{agent}/…`, passed on to that agent.

What comes of them is seen where everything is seen, in the feed; the answer here
is only A2A's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from a2a.types import a2a_pb2 as pb
from a2a.utils.error_handlers import build_rest_error_payload
from a2a.utils.errors import A2AError
from google.protobuf.json_format import ParseDict, ParseError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from host.collector import Collector
from host.errors import AgentUnreachable, UnknownAgent

MAX_BODY_BYTES = 4 * 1024 * 1024
JSON_TYPES = ("application/json", "application/a2a+json")


class Relay:
    """Knows each agent's collector by name."""

    def __init__(self, collectors: Mapping[str, Collector]) -> None:
        self._collectors = collectors

    def routes(self) -> list[Route]:
        post = ["POST"]
        return [
            Route("/a2a/{agent}/message:send", self.send, methods=post),
            Route("/a2a/{agent}/tasks/{task_id}:cancel", self.cancel, methods=post),
            Route("/agents/{agent}:retry", self.retry, methods=post),
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
        task = await collector.connection.cancel(request.path_params["task_id"])
        return JSONResponse(task)

    async def retry(self, request: Request) -> Response:
        """Tries a lost agent again at once."""
        self._collector(request).retry_now()
        return JSONResponse({}, 202)

    def _collector(self, request: Request) -> Collector:
        name = request.path_params["agent"]
        try:
            return self._collectors[name]
        except KeyError:
            known = ", ".join(self._collectors) or "none"
            raise UnknownAgent(
                f"no agent {name!r} is followed here; there are: {known}"
            ) from None


async def _message(request: Request) -> pb.SendMessageRequest:
    """The body as an A2A request. Raises ParseError naming what is wrong."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind not in JSON_TYPES:
        raise WrongContentType(
            f"the body is {kind or 'of no type'}: send it as application/json"
        )
    data = b""
    async for piece in request.stream():
        data += piece
        if len(data) > MAX_BODY_BYTES:
            raise BodyTooLarge(f"the body is over {MAX_BODY_BYTES} bytes")
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ParseError(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise ParseError("the body must be a JSON object, an A2A SendMessageRequest")
    message = pb.SendMessageRequest()
    ParseDict(body, message)
    if not message.message.parts or not message.message.message_id:
        raise ParseError("message needs a messageId and at least one part")
    return message


class BodyTooLarge(Exception):
    """More than the host takes in one message."""


class WrongContentType(Exception):
    """The body is not declared as JSON."""


def error_response(_: Request, error: Exception) -> Response:
    """An error as A2A's HTTP+JSON binding writes it (section 11.6).

    The agent's own errors pass as they are; ours carry the domain `courtside`.
    """
    if isinstance(error, A2AError | ParseError):
        payload = build_rest_error_payload(error)
        return JSONResponse(payload, payload["error"]["code"])
    code, status, reason = _OURS[type(error)]
    return JSONResponse(_payload(code, status, reason, str(error)), code)


_OURS: dict[type[Exception], tuple[int, str, str]] = {
    UnknownAgent: (404, "NOT_FOUND", "UNKNOWN_AGENT"),
    AgentUnreachable: (502, "UNAVAILABLE", "AGENT_UNREACHABLE"),
    BodyTooLarge: (413, "INVALID_ARGUMENT", "BODY_TOO_LARGE"),
    WrongContentType: (415, "INVALID_ARGUMENT", "CONTENT_TYPE_NOT_SUPPORTED"),
}
HANDLED = (A2AError, ParseError, *_OURS)


def _payload(code: int, status: str, reason: str, message: str) -> dict[str, Any]:
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "courtside",
    }
    return {
        "error": {
            "code": code,
            "status": status,
            "message": message,
            "details": [info],
        }
    }
