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
from ..errors import CourtsideError, QueryError

MAX_BODY_BYTES = 4 * 1024 * 1024
JSON_TYPES = ("application/json", "application/a2a+json")
INTERNAL_CODE = -32603
EXPECTED_ERRORS = (A2AError, ParseError, CourtsideError)
# The google.rpc.Code that HTTP+JSON names beside an HTTP status.
STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    410: "OUT_OF_RANGE",
    413: "INVALID_ARGUMENT",
    415: "INVALID_ARGUMENT",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
}
SAFETY = (
    (b"x-content-type-options", b"nosniff"),
    (
        b"content-security-policy",
        b"default-src 'none'; frame-ancestors 'none'; sandbox",
    ),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
)


class BodyTooLarge(CourtsideError):
    """The body is over MAX_BODY_BYTES."""

    status, reason = 413, "BODY_TOO_LARGE"


class WrongContentType(CourtsideError):
    """The body is not declared as JSON."""

    status, reason = 415, "CONTENT_TYPE_NOT_SUPPORTED"


class HostStopping(CourtsideError):
    """The host was asked to stop before it had a response."""

    status, reason = 503, "HOST_ENDING"


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
    """Describe one of EXPECTED_ERRORS: an A2A error unchanged, any other as an error
    of the domain `courtside`.

    Courtside's JSON-RPC codes are outside the ranges that JSON-RPC and A2A reserve.
    """
    if isinstance(error, CourtsideError):
        status, info = error.status, _info(error.reason, "courtside")
        name = STATUS_NAMES.get(status, "INTERNAL")
        return Refusal(status, name, -31000 - status, str(error), [info])
    if isinstance(error, UpdatesGone):
        info = _info("UPDATES_GONE", A2A_DOMAIN) | {"metadata": error.data or {}}
        return Refusal(410, STATUS_NAMES[410], UPDATES_GONE_CODE, str(error), [info])
    said = build_rest_error_payload(error)["error"]
    kind = JSONParseError if isinstance(error, ParseError) else type(error)
    rpc = JSON_RPC_ERROR_CODE_MAP.get(kind, INTERNAL_CODE)  # type: ignore[arg-type]
    return Refusal(said["code"], said["status"], rpc, said["message"], said["details"])


def error_response(_: Request, error: Exception) -> Response:
    """An error as A2A's HTTP+JSON binding writes it."""
    refusal = refusal_of(error)
    return JSONResponse(error_body(refusal), refusal.http)


def text_response(_: Request, error: Exception) -> Response:
    """A QueryError as plain text, for the endpoints that people read with curl."""
    status = error.status if isinstance(error, QueryError) else 500
    return PlainTextResponse(f"{error}\n", status)


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


def _info(reason: str, domain: str) -> dict[str, Any]:
    return {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": domain,
    }
