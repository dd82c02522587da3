"""Owns the form of our HTTP doors: a request's JSON body, and errors as A2A has them.

The relay and the agents' own door read and answer with it.
"""

from __future__ import annotations

import json
from typing import Any

from a2a.utils.error_handlers import build_rest_error_payload
from a2a.utils.errors import A2AError
from google.protobuf.json_format import ParseError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from host.changes import NotKept
from host.errors import AgentUnreachable, ConfigError, UnknownAgent
from host.roster import AgentExists

MAX_BODY_BYTES = 4 * 1024 * 1024
JSON_TYPES = ("application/json", "application/a2a+json")


class BodyTooLarge(Exception):
    """More than the host takes in one message."""


class WrongContentType(Exception):
    """The body is not declared as JSON."""


async def json_object(request: Request) -> dict[str, Any]:
    """The body. Raises ParseError, BodyTooLarge and WrongContentType."""
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
        raise ParseError("the body must be a JSON object")
    return body


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
    AgentExists: (409, "ALREADY_EXISTS", "AGENT_EXISTS"),
    ConfigError: (400, "INVALID_ARGUMENT", "BAD_SETTING"),
    NotKept: (503, "UNAVAILABLE", "NOT_KEPT"),
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
