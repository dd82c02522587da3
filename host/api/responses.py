"""Writes JSON responses and errors as A2A defines them.

The gateway uses it too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from contextlib import suppress
from typing import Annotated, Any

import msgspec
from a2a.utils.error_handlers import A2A_DOMAIN, build_rest_error_payload
from a2a.utils.errors import JSON_RPC_ERROR_CODE_MAP, A2AError, JSONParseError
from google.protobuf.json_format import ParseError
from msgspec import Meta, Struct
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match, Route
from starlette.types import Message, Receive, Scope, Send

from ..clients.bindings.json_errors import ERROR_INFO, UPDATES_GONE_CODE, UpdatesGone
from ..errors import CourtsideError, QueryError

INTERNAL_CODE = -32603
EXPECTED_ERRORS = (A2AError, ParseError, CourtsideError)
# The google.rpc.Code of each HTTP status.
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
SAFETY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (
        b"content-security-policy",
        b"default-src 'none'; frame-ancestors 'none'; sandbox",
    ),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
)


class HostStopping(CourtsideError):
    """The host was asked to stop before it had a response."""

    status, reason = 503, "HOST_ENDING"


def add_safety_headers(send: Send) -> Send:
    """Keep browsers from treating a response as a page: it may contain agents' text.

    Not a coroutine function, because every chunk of a stream passes through it.
    """

    def send_safely(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            present = {name for name, _ in message["headers"]}
            added = [pair for pair in SAFETY_HEADERS if pair[0] not in present]
            message["headers"] = [*message["headers"], *added]
        return send(message)

    return send_safely


async def send_failure(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond with 500, unless a response has begun."""
    failure = PlainTextResponse("Internal Server Error\n", 500)
    with suppress(RuntimeError):  # The server has begun another response.
        await failure(scope, receive, add_safety_headers(send))


def json_response(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Encode with msgspec, like the events of the feed."""
    body = msgspec.json.encode(value)
    return Response(body, status, headers, media_type="application/json")


class ErrorStatus(Struct, frozen=True):
    """`status` is the google.rpc.Code of the HTTP status `code`."""

    code: Annotated[int, Meta(description="The HTTP status.")]
    status: str
    message: Annotated[str, Meta(description="What failed, where, and what to do.")]
    details: list[dict[str, Any]]


class Error(Struct, frozen=True):
    """An error in the format of A2A's HTTP+JSON (A2A 1.0, section 11.6)."""

    error: ErrorStatus


def describe_error(error: Exception) -> tuple[ErrorStatus, int]:
    """Describe one of EXPECTED_ERRORS: for HTTP+JSON, and its JSON-RPC code.

    A2A's own errors keep their codes. Others have the domain `courtside`, and JSON-RPC
    codes outside the ranges that JSON-RPC and A2A reserve.
    """
    if isinstance(error, CourtsideError):
        status, code = error.status, -31000 - error.status
        info: dict[str, Any] = {"reason": error.reason, "domain": "courtside"}
    elif isinstance(error, UpdatesGone):
        status, code = 410, UPDATES_GONE_CODE
        info = {"reason": "UPDATES_GONE", "domain": A2A_DOMAIN}
        info["metadata"] = error.data or {}
    else:
        payload = build_rest_error_payload(error)["error"]
        kind = JSONParseError if isinstance(error, ParseError) else type(error)
        code = JSON_RPC_ERROR_CODE_MAP.get(kind, INTERNAL_CODE)  # type: ignore[arg-type]
        return ErrorStatus(**payload), code
    name = STATUS_NAMES.get(status, "INTERNAL")
    details = [{"@type": ERROR_INFO, **info}]
    return ErrorStatus(status, name, str(error), details), code


def error_response(_: Request, error: Exception) -> Response:
    """Respond in the form of A2A's HTTP+JSON binding."""
    status, _code = describe_error(error)
    return json_response(Error(status), status.code)


def query_error_response(_: Request, error: Exception) -> Response:
    """Respond to a QueryError in plain text, for people who use curl."""
    status = error.status if isinstance(error, QueryError) else 500
    return PlainTextResponse(f"{error}\n", status)


def wrong_method_response(request: Request, error: Exception) -> Response:
    """Respond with 405 and all methods of the path. Each route knows only its own."""
    headers = error.headers or {} if isinstance(error, HTTPException) else {}
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    paths = (r.path for r in routes if r.matches(request.scope)[0] is not Match.NONE)
    path = next(paths, None)
    methods = {m for route in routes if route.path == path for m in route.methods or ()}
    allow = ", ".join(sorted(methods)) or headers.get("allow", "")
    return PlainTextResponse("Method Not Allowed", 405, {"allow": allow})
