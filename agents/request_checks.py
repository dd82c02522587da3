"""Checks each HTTP request before the routes see it: path, size, type, encoding.

app.py installs it as middleware. It refuses a request with an A2A error.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from a2a.extensions.common import HTTP_EXTENSION_HEADER, get_requested_extensions
from a2a.server.request_handlers import build_error_response
from a2a.utils.constants import A2A_JSON_MEDIA_TYPE
from a2a.utils.error_handlers import build_rest_error_payload
from a2a.utils.errors import (
    A2AError,
    ContentTypeNotSupportedError,
    InvalidRequestError,
)
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import progress, resumable_stream

# Twice the size of the longest accepted text with all characters escaped.
MAX_BODY_BYTES = 2 * 1024 * 1024
JSON_TYPES = ("application/json", A2A_JSON_MEDIA_TYPE)


class RequestChecks:
    """ASGI middleware that reads and checks the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = {**scope, "path": normalize_path(scope["path"])}
        send = _add_extensions(Headers(scope=scope), send)
        if scope["method"] not in ("GET", "HEAD"):
            body = await _read_body(scope, receive)
            if isinstance(body, Response):
                await body(scope, receive, send)
                return
            receive = _replay_body(body, receive)
        await self._app(scope, receive, send)


def normalize_path(path: str) -> str:
    """Turn `//message:send/` into `/message:send`: a card's URL may end in a slash."""
    return "/" + "/".join(filter(None, path.split("/")))


async def _read_body(scope: Scope, receive: Receive) -> bytes | Response:
    """Return the body, or the error response."""
    headers = Headers(scope=scope)
    declared = headers.get("content-length", "")
    size = int(declared) if declared.isdecimal() else 0
    body, has_more = bytearray(), True
    while has_more and size <= MAX_BODY_BYTES:
        message = await receive()
        body += message.get("body", b"")
        size = max(size, len(body))
        has_more = message.get("more_body", False)
    if size > MAX_BODY_BYTES:
        too_large = InvalidRequestError(
            f"The body is larger than {MAX_BODY_BYTES} bytes"
        )
        return _refuse(scope, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, too_large)
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind not in JSON_TYPES:
        wrong_type = ContentTypeNotSupportedError(
            f"The body's content type is {kind or 'missing'}; send JSON with "
            "Content-Type: application/json"
        )
        return _refuse(scope, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, wrong_type)
    try:
        body.decode()
    except UnicodeDecodeError as error:
        not_utf8 = InvalidRequestError(f"The body is not UTF-8: {error.reason}")
        return _refuse(scope, HTTPStatus.BAD_REQUEST, not_utf8)
    return bytes(body)


def _replay_body(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that returns the body first, then the server's messages."""
    is_read = False

    async def receive_again() -> Message:
        nonlocal is_read
        if is_read:
            return await receive()
        is_read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


def _add_extensions(headers: Headers, send: Send) -> Send:
    """Return a `send` that adds the header with the active extensions."""
    requested = get_requested_extensions(headers.getlist(HTTP_EXTENSION_HEADER))
    active = requested.intersection((progress.URI, resumable_stream.URI))
    if not active:
        return send

    async def send_with_header(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=message["headers"])
            headers[HTTP_EXTENSION_HEADER] = ", ".join(sorted(active))
        await send(message)

    return send_with_header


def _refuse(scope: Scope, status: HTTPStatus, error: A2AError) -> Response:
    """Return the error in the format of the binding."""
    answer: dict[str, Any]
    if scope["path"] == "/":
        answer = build_error_response(None, error)
    else:
        answer = build_rest_error_payload(error)
        answer["error"]["code"] = status.value
    return JSONResponse(answer, status.value)


def build_error(
    code: int, status: str, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return an error that the SDK does not build, in A2A's format for REST."""
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": status,
        "domain": "courtside",
    }
    error = {"code": code, "status": status, "message": message, "details": [info]}
    return JSONResponse({"error": error}, code, headers=headers)
