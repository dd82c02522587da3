"""The JSON-RPC binding of the gateway. A2A 1.0, section 9, at `/a2a/{agent}`."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
from a2a.utils.errors import InvalidRequestError, MethodNotFoundError
from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ..api.json_body import BodyTooLarge, WrongContentType, read_json
from ..api.responses import EXPECTED_ERRORS, describe_error
from ..errors import UnknownAgent
from .event_stream import Encoding
from .gateway import Gateway
from .message_parser import parse_message
from .operations import OPERATIONS, Operation
from .requests import check_version

# Errors of the URL or of the whole request have their HTTP status. All others have
# 200: they are the result of the call.
HTTP_ERRORS = (UnknownAgent, BodyTooLarge, WrongContentType)


def build_routes(gateway: Gateway) -> list[Route]:
    # Some clients add a slash to the card's URL.
    return [
        Route(path, partial(_respond, gateway), methods=["POST"])
        for path in ("/a2a/{agent}", "/a2a/{agent}/")
    ]


async def _respond(gateway: Gateway, request: Request) -> ASGIApp:
    call = _Call(request)
    try:
        operation, params = await read_json(request, call.parse)
        encoding = Encoding(
            partial(_encode_result, call.id), partial(_encode_error, call.id)
        )
        return await gateway.respond(request, operation, params, encoding)
    except EXPECTED_ERRORS as error:
        status = error.status if isinstance(error, HTTP_ERRORS) else 200
        body = _encode_error(call.id, error)
        return Response(body, status, media_type="application/json")


class _Call:
    """A JSON-RPC call. `id` is JSON; errors need it even if `parse` fails."""

    def __init__(self, request: Request) -> None:
        self.id = b"null"
        self._request = request

    def parse(self, call: dict[str, Any]) -> tuple[Operation, Message | None]:
        if type(call.get("id")) in (str, int, float):
            self.id = msgspec.json.encode(call["id"])
        check_version(self._request)
        operation = _find_operation(call)
        if operation.params is None:
            return operation, None
        return operation, parse_message(call.get("params", {}), operation.params)


def _find_operation(call: dict[str, Any]) -> Operation:
    method = call.get("method")
    if call.get("jsonrpc") != "2.0" or not isinstance(method, str):
        raise InvalidRequestError(
            'not a JSON-RPC 2.0 call: send "jsonrpc": "2.0", an id, a method of A2A '
            "1.0 and its params"
        )
    if "PushNotificationConfig" in method:
        method = "PushNotificationConfig"
    if method not in OPERATIONS:
        raise MethodNotFoundError(
            f"A2A 1.0 has no method {method[:80]!r}; it has: {', '.join(OPERATIONS)}"
        )
    return OPERATIONS[method]


def _encode_result(call_id: bytes, result: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (call_id, result)


def _encode_error(call_id: bytes, error: Exception) -> bytes:
    status, code = describe_error(error)
    body = {"code": code, "message": status.message, "data": status.details}
    encoded = msgspec.json.encode(body)
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (call_id, encoded)
