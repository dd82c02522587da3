"""The HTTP+JSON binding of the gateway. A2A 1.0, section 11, below `/a2a/{agent}`."""

from __future__ import annotations

from functools import partial

import msgspec
from a2a.types import a2a_pb2 as pb
from google.protobuf.message import Message
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ..api.json_body import read_json
from ..api.responses import Error, describe_error
from ..api.sessions import is_token_required
from ..config.agent_settings import HOST_NAME
from .event_stream import Encoding
from .gateway import Gateway
from .message_parser import parse_message
from .operations import OPERATIONS, Operation
from .requests import check_version, find_public_url, parse_query


class _AnyText(Convertor[str]):
    """An agent may use slashes and line ends in a task's id."""

    regex = r"[\s\S]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("any_text", _AnyText())
TASK = "/tasks/{task_id:any_text}"
GET, POST, GET_OR_POST = ["GET"], ["POST"], ["GET", "POST"]
ROUTES = [
    ("/extendedAgentCard", GET, "GetExtendedAgentCard"),
    ("/message:send", POST, "SendMessage"),
    ("/message:stream", POST, "SendStreamingMessage"),
    ("/tasks", GET, "ListTasks"),
    (TASK + ":cancel", POST, "CancelTask"),
    (TASK + ":subscribe", GET_OR_POST, "SubscribeToTask"),
    (TASK + "/pushNotificationConfigs", GET_OR_POST, "PushNotificationConfig"),
    (TASK, GET, "GetTask"),
]


def build_routes(gateway: Gateway) -> list[Route]:
    prefix = "/a2a/{agent}"
    card_path = "/.well-known/agent-card.json"
    # Without a prefix it is the card of the host's own agent.
    cards = [Route(at + card_path, partial(_card, gateway)) for at in ("", prefix)]
    operations = [
        Route(prefix + path, partial(_respond, gateway, OPERATIONS[name]), methods=to)
        for path, to, name in ROUTES
    ]
    return [*cards, *operations]


async def _card(gateway: Gateway, request: Request) -> Response:
    card = gateway.operations.card(
        request.path_params.get("agent", HOST_NAME),
        find_public_url(request),
        locked=is_token_required(request.scope),
    )
    headers = {"cache-control": "no-cache"}
    return Response(card, media_type="application/json", headers=headers)


async def _respond(gateway: Gateway, operation: Operation, request: Request) -> ASGIApp:
    params = await _read_params(request, operation)
    check_version(request)
    # `bytes` keeps a result as it is: this binding has no envelope.
    encoding = Encoding(bytes, _encode_error)
    return await gateway.respond(request, operation, params, encoding)


async def _read_params(request: Request, operation: Operation) -> Message | None:
    if operation.params is None:
        return None
    if operation.params is pb.SendMessageRequest:
        return await read_json(request, partial(parse_message, kind=operation.params))
    params = parse_query(request.query_params, operation.params)
    task_id = request.path_params.get("task_id", "")
    if request.method == "GET" and task_id.endswith(":cancel"):
        raise HTTPException(405)  # The path of CancelTask, not a task's id.
    if task_id:
        params.id = task_id  # type: ignore[attr-defined]
    return params


def _encode_error(error: Exception) -> bytes:
    status, _ = describe_error(error)
    return msgspec.json.encode(Error(status))
