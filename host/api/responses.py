"""Owns the form of our HTTP doors: JSON bodies both ways, and errors as A2A has them.

The gateway and the host's own doors read and answer with it.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Mapping
from typing import Any, NamedTuple

import msgspec
from a2a.utils.error_handlers import A2A_DOMAIN, build_rest_error_payload
from a2a.utils.errors import JSON_RPC_ERROR_CODE_MAP, A2AError, JSONParseError
from google.protobuf.json_format import ParseError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Match, Route
from starlette.types import Message, Send

from ..clients.bindings.a2a_errors import UPDATES_GONE_CODE, UpdatesGone
from ..errors import AgentUnreachable, ConfigError, LogError, UnknownAgent
from ..following.roster import AgentExists
from ..following.roster_file import NotKept

MAX_BODY_BYTES = 4 * 1024 * 1024
JSON_TYPES = ("application/json", "application/a2a+json")
INTERNAL_CODE = -32603
SAFETY = (
    (b"x-content-type-options", b"nosniff"),
    (
        b"content-security-policy",
        b"default-src 'none'; frame-ancestors 'none'; sandbox",
    ),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
)


class BodyTooLarge(Exception):
    """More than the host takes in one message."""


class WrongContentType(Exception):
    """The body is not declared as JSON."""


class Ending(Exception):
    """The host was asked to stop before there was an answer."""


def safely(send: Send) -> Send:
    """Agents' words are in what is answered: no browser may take them for a page.

    No coroutine: a stream's every piece goes through it.
    """

    def send_safely(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            there = {name for name, _ in message["headers"]}
            more = [pair for pair in SAFETY if pair[0] not in there]
            message["headers"] = [*message["headers"], *more]
        return send(message)

    return send_safely


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


def json_answer(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """The value as msgspec writes it: events and rows as the feed has them."""
    body = msgspec.json.encode(value)
    return Response(body, status, headers, media_type="application/json")


class Refusal(NamedTuple):
    """An error in the words of both bindings: `http` and `status` of HTTP+JSON
    (section 11.6), `rpc` of JSON-RPC (section 9.5)."""

    http: int
    status: str
    rpc: int
    message: str
    details: list[dict[str, Any]]


def refusal_of(error: Exception) -> Refusal:
    """The agent's own errors pass as they are; ours carry the domain `courtside`.

    The JSON-RPC codes of ours lie outside the ranges that JSON-RPC and A2A reserve.
    """
    if isinstance(error, UpdatesGone):
        info = _info("UPDATES_GONE", A2A_DOMAIN) | {"metadata": error.data or {}}
        return Refusal(410, "OUT_OF_RANGE", UPDATES_GONE_CODE, str(error), [info])
    if isinstance(error, A2AError | ParseError):
        said = build_rest_error_payload(error)["error"]
        rpc = JSON_RPC_ERROR_CODE_MAP.get(type(error), INTERNAL_CODE)  # type: ignore[arg-type]
        if isinstance(error, ParseError):
            rpc = JSON_RPC_ERROR_CODE_MAP[JSONParseError]
        return Refusal(
            said["code"], said["status"], rpc, said["message"], said["details"]
        )
    code, status, reason = next(
        _OURS[kind] for kind in type(error).__mro__ if kind in _OURS
    )
    return Refusal(
        code, status, -31000 - code, str(error), [_info(reason, "courtside")]
    )


def error_response(_: Request, error: Exception) -> Response:
    """An error as A2A's HTTP+JSON binding writes it."""
    refusal = refusal_of(error)
    return JSONResponse(error_body(refusal), refusal.http)


def wrong_method(request: Request, error: Exception) -> Response:
    """405 with every method of the path: each of its routes knows but its own."""
    said = error.headers or {} if isinstance(error, HTTPException) else {}
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    paths = (r.path for r in routes if r.matches(request.scope)[0] is not Match.NONE)
    path = next(paths, None)
    allowed = {m for route in routes if route.path == path for m in route.methods or ()}
    allow = ", ".join(sorted(allowed)) or said.get("allow", "")
    return PlainTextResponse("Method Not Allowed", 405, {"allow": allow})


def error_body(refusal: Refusal) -> dict[str, Any]:
    """The same where it is an event of a stream."""
    return {
        "error": {
            "code": refusal.http,
            "status": refusal.status,
            "message": refusal.message,
            "details": refusal.details,
        }
    }


_OURS: dict[type[Exception], tuple[int, str, str]] = {
    UnknownAgent: (404, "NOT_FOUND", "UNKNOWN_AGENT"),
    AgentExists: (409, "ALREADY_EXISTS", "AGENT_EXISTS"),
    ConfigError: (400, "INVALID_ARGUMENT", "BAD_SETTING"),
    NotKept: (503, "UNAVAILABLE", "NOT_KEPT"),
    LogError: (503, "UNAVAILABLE", "LOG_FAILED"),
    Ending: (503, "UNAVAILABLE", "HOST_ENDING"),
    AgentUnreachable: (502, "UNAVAILABLE", "AGENT_UNREACHABLE"),
    BodyTooLarge: (413, "INVALID_ARGUMENT", "BODY_TOO_LARGE"),
    WrongContentType: (415, "INVALID_ARGUMENT", "CONTENT_TYPE_NOT_SUPPORTED"),
}
HANDLED: tuple[type[Exception], ...] = (A2AError, ParseError, *_OURS)


def _info(reason: str, domain: str) -> dict[str, Any]:
    return {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": domain,
    }
