"""Owns what a request must be before anything reads it: its path, its size, its type.

serve.py puts it before all routes; refusals leave here in the words of A2A.
"""

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

from agents import progress, resume

# Twice what the longest text takes that is read, even if all of it is escaped.
MAX_BODY_BYTES = 2 * 1024 * 1024
JSON_TYPES = ("application/json", A2A_JSON_MEDIA_TYPE)


class Door:
    """ASGI middleware: lets in what the routes behind it can safely read whole."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = {**scope, "path": tidy(scope["path"])}
        send = _telling_extensions(Headers(scope=scope), send)
        if scope["method"] not in ("GET", "HEAD"):
            body = await _read(scope, receive)
            if isinstance(body, Response):
                await body(scope, receive, send)
                return
            receive = _replayed(body, receive)
        await self._app(scope, receive, send)


def tidy(path: str) -> str:
    """`//message:send/` is `/message:send`: a card's URL may end in a slash or not."""
    return "/" + "/".join(filter(None, path.split("/")))


async def _read(scope: Scope, receive: Receive) -> bytes | Response:
    """The whole body, or why it is refused."""
    headers = Headers(scope=scope)
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
        return _too_large(scope)
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_BODY_BYTES:
            return _too_large(scope)
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if body and kind not in JSON_TYPES:
        why = ContentTypeNotSupportedError(
            f"The body's content type is {kind or 'missing'}; send JSON with "
            "Content-Type: application/json"
        )
        return _refusal(scope, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, why)
    try:
        body.decode()
    except UnicodeDecodeError as error:
        unreadable = InvalidRequestError(f"The body is not UTF-8: {error.reason}")
        return _refusal(scope, HTTPStatus.BAD_REQUEST, unreadable)
    return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Gives the body once more, then whatever else comes, which is the hanging up."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _telling_extensions(headers: Headers, send: Send) -> Send:
    """Says which of the extensions that the client asked for it gets."""
    asked = get_requested_extensions(headers.getlist(HTTP_EXTENSION_HEADER))
    active = asked.intersection((progress.URI, resume.URI))
    if not active:
        return send

    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            told = MutableHeaders(raw=message["headers"])
            told[HTTP_EXTENSION_HEADER] = ", ".join(sorted(active))
        await send(message)

    return tell


def _too_large(scope: Scope) -> Response:
    why = InvalidRequestError(f"The body is larger than {MAX_BODY_BYTES} bytes")
    return _refusal(scope, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, why)


def _refusal(scope: Scope, status: HTTPStatus, why: A2AError) -> Response:
    """`why` as the binding words it, with an HTTP status that says it better."""
    answer: dict[str, Any]
    if scope["path"] == "/":
        answer = build_error_response(None, why)
    else:
        answer = build_rest_error_payload(why)
        answer["error"]["code"] = status.value
    return JSONResponse(answer, status.value)
