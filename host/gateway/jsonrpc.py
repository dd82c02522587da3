"""Owns the gateway's JSON-RPC: A2A 1.0, section 9, at `/a2a/{agent}`.

Calls become operations; the wiring mounts its routes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import msgspec
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import InvalidRequestError, MethodNotFoundError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..api.responses import (
    EXPECTED_ERRORS,
    BodyTooLarge,
    WrongContentType,
    json_object,
    refusal_of,
)
from ..errors import UnknownAgent
from .event_stream import Updates, Words, opened
from .operations import Operations
from .requests import (
    check_status,
    check_version,
    extensions,
    parse_message,
    read_last_event_id,
    run_until_disconnect,
)

JSON = "application/json"
# Said about the URL or the request as a whole; any other error is an answer to a call.
BY_STATUS = (UnknownAgent, BodyTooLarge, WrongContentType)


class JsonRpc:
    """Once `ending` is set, what is under way ends."""

    def __init__(self, operations: Operations, ending: asyncio.Event) -> None:
        self._operations = operations
        self._ending = ending

    def routes(self) -> list[Route]:
        # Some clients put a slash at the end of a card's URL.
        return [
            Route(path, self._call, methods=["POST"])
            for path in ("/a2a/{agent}", "/a2a/{agent}/")
        ]

    async def _call(self, request: Request) -> Response:
        call_id: Any = None
        try:
            call = await json_object(request)
            call_id = call.get("id")
            if type(call_id) not in (str, int, float):
                call_id = None
            check_version(request)
            return await self._answer(request, call, msgspec.json.encode(call_id))
        except EXPECTED_ERRORS as error:
            status = refusal_of(error).http if isinstance(error, BY_STATUS) else 200
            body = _error(msgspec.json.encode(call_id), error)
            return Response(body, status, media_type=JSON)

    async def _answer(
        self, request: Request, call: dict[str, Any], call_id: bytes
    ) -> Response:
        if call.get("jsonrpc") != "2.0" or not isinstance(call.get("method"), str):
            raise InvalidRequestError(
                'no call of JSON-RPC 2.0: send "jsonrpc": "2.0", an id, a method of '
                "A2A 1.0 and its params"
            )
        name: str = request.path_params["agent"]
        method, params = call["method"], call.get("params", {})
        headers = extensions(request)
        if updates := self._updates(request, name, method, params):
            words = Words(
                update=lambda update: _result(call_id, update),
                error=lambda error: _error(call_id, error),
            )
            return await opened(request, self._ending, updates, words, headers)
        result = await run_until_disconnect(
            request, self._ending, lambda: self._result(name, method, params)
        )
        return Response(_result(call_id, result), media_type=JSON, headers=headers)

    def _updates(
        self, request: Request, name: str, method: str, params: Any
    ) -> Updates | None:
        if method == "SendStreamingMessage":
            return self._operations.stream(
                name, parse_message(params, pb.SendMessageRequest())
            )
        if method == "SubscribeToTask":
            task_id = parse_message(params, pb.SubscribeToTaskRequest()).id
            return self._operations.subscribe(
                name, task_id, read_last_event_id(request)
            )
        return None

    def _result(self, name: str, method: str, params: Any) -> Awaitable[bytes]:
        operations = self._operations
        match method:
            case "SendMessage":
                return operations.send(
                    name, parse_message(params, pb.SendMessageRequest())
                )
            case "GetTask":
                return operations.get_task(
                    name, parse_message(params, pb.GetTaskRequest())
                )
            case "ListTasks":
                listed = parse_message(params, pb.ListTasksRequest())
                check_status(params.get("status"), listed)
                return operations.list_tasks(name, listed)
            case "CancelTask":
                asked = parse_message(params, pb.CancelTaskRequest())
                return operations.cancel(name, asked.id)
            case "GetExtendedAgentCard":
                return operations.extended_card(name)
        if "PushNotificationConfig" in method:
            return operations.push(name)
        raise MethodNotFoundError(
            f"no method {method[:80]!r} in A2A 1.0: SendMessage, "
            "SendStreamingMessage, GetTask, ListTasks, CancelTask, SubscribeToTask"
        )


def _result(call_id: bytes, result: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (call_id, result)


def _error(call_id: bytes, error: Exception) -> bytes:
    refusal = refusal_of(error)
    said = {"code": refusal.rpc, "message": refusal.message, "data": refusal.details}
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (
        call_id,
        msgspec.json.encode(said),
    )
