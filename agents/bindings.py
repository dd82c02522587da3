"""Owns A2A's two HTTP bindings: the SDK's routes, with a number on every SSE event.

serve.py mounts the routes; every request goes on to handler.py.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from a2a.server.context import ServerCallContext
from a2a.server.jsonrpc_models import JSONParseError
from a2a.server.request_handlers import build_error_response
from a2a.server.routes import create_rest_routes
from a2a.server.routes.common import (
    DefaultServerCallContextBuilder,
    create_event_source_response,
)
from a2a.server.routes.jsonrpc_dispatcher import JsonRpcDispatcher
from a2a.server.routes.rest_dispatcher import RestDispatcher
from a2a.types.a2a_pb2 import SendMessageRequest, SubscribeToTaskRequest
from a2a.utils import json_utils
from a2a.utils.constants import PROTOCOL_VERSION_1_0, VERSION_HEADER
from a2a.utils.error_handlers import build_rest_error_payload, rest_stream_error_handler
from a2a.utils.errors import A2AError
from a2a.utils.version_validator import validate_version
from google.protobuf.json_format import Parse
from sse_starlette import EventSourceResponse
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from agents.handler import Handler
from agents.resume import Update

# One of the handler's two ways to follow a task.
Follow = Callable[[Any, ServerCallContext], AsyncGenerator[list[Update], None]]


def routes(handler: Handler, grace_s: float) -> list[BaseRoute]:
    """JSON-RPC at `/`, HTTP+JSON at the root, and both as protocol 0.3 has them.

    `grace_s`: how long a stream may go on once the server is asked to stop. They end in
    a mount that takes every path of two segments, so put your own before them.
    """
    contexts = CallContextBuilder()
    rpc = JsonRpc(handler, contexts, grace_s)
    rest = Rest(handler, contexts, grace_s)
    subscribe = rest.on_subscribe_to_task
    return [
        Route("/", rpc.handle_requests, methods=["POST"]),
        Route("/message:stream", rest.on_message_send_stream, methods=["POST"]),
        Route("/tasks/{id}:subscribe", subscribe, methods=["GET", "POST"]),
        *create_rest_routes(
            handler,
            contexts,
            enable_v0_3_compat=True,
            shutdown_grace_period=grace_s,
        ),
    ]


class CallContextBuilder(DefaultServerCallContextBuilder):
    """Also takes the version from the query, as the specification allows.

    A browser's EventSource can send no header of its own.
    """

    def build(self, request: Request) -> ServerCallContext:
        context = super().build(request)
        if not request.headers.get(VERSION_HEADER):
            version = request.query_params.get(VERSION_HEADER, "")
            context.state["headers"][VERSION_HEADER.lower()] = version
        return context


class Rest(RestDispatcher):
    """The SDK's HTTP+JSON, with streams that are read from the tapes."""

    def __init__(
        self, handler: Handler, contexts: CallContextBuilder, grace_s: float
    ) -> None:
        super().__init__(handler, contexts)
        self._handler = handler
        self._grace_s = grace_s

    @rest_stream_error_handler
    async def on_message_send_stream(self, request: Request) -> EventSourceResponse:
        params = SendMessageRequest()
        Parse(await request.body(), params, ignore_unknown_fields=True)
        context = self._build_call_context(request)
        return await self._stream(self._handler.follow_message, params, context)

    @rest_stream_error_handler
    async def on_subscribe_to_task(self, request: Request) -> EventSourceResponse:
        params = SubscribeToTaskRequest(id=request.path_params["id"])
        context = self._build_call_context(request)
        return await self._stream(self._handler.follow_task, params, context)

    @validate_version(PROTOCOL_VERSION_1_0)
    async def _stream(
        self, follow: Follow, params: Any, context: ServerCallContext
    ) -> EventSourceResponse:
        body = await _events(follow(params, context), str, build_rest_error_payload)
        return create_event_source_response(body, self._grace_s)


class JsonRpc(JsonRpcDispatcher):
    """The SDK's JSON-RPC, with streams that are read from the tapes."""

    def __init__(
        self, handler: Handler, contexts: CallContextBuilder, grace_s: float
    ) -> None:
        super().__init__(
            handler, contexts, enable_v0_3_compat=True, shutdown_grace_period=grace_s
        )
        self._handler = handler
        self._grace_s = grace_s

    async def handle_requests(self, request: Request) -> Response:
        try:
            await request.json()  # Starlette keeps it for the SDK.
        except (ValueError, RecursionError) as error:
            wrong = JSONParseError(message=f"This is no JSON: {error}")
            return self._generate_error_response(None, wrong)
        return await super().handle_requests(request)

    @validate_version(PROTOCOL_VERSION_1_0)
    async def _process_streaming_request(
        self,
        request_id: str | int | None,
        request_obj: SendMessageRequest | SubscribeToTaskRequest,
        context: ServerCallContext,
    ) -> AsyncGenerator[Any, None]:
        updates = (
            self._handler.follow_message(request_obj, context)
            if isinstance(request_obj, SendMessageRequest)
            else self._handler.follow_task(request_obj, context)
        )
        head = f'{{"jsonrpc": "2.0", "id": {json_utils.dumps(request_id)}, "result": '
        return await _events(
            updates,
            lambda update: f"{head}{update}}}",
            lambda error: build_error_response(request_id, error),
        )

    def _create_response(
        self,
        context: ServerCallContext,
        handler_result: AsyncGenerator[Any, None] | dict[str, Any],
    ) -> Response:
        if isinstance(handler_result, dict):
            return super()._create_response(context, handler_result)
        return create_event_source_response(handler_result, self._grace_s)


async def _events(
    batches: AsyncGenerator[list[Update], None],
    wrap: Callable[[str], str],
    explain: Callable[[A2AError], dict[str, Any]],
) -> AsyncGenerator[bytes, None]:
    """Updates as server-sent events; what came together is sent together.

    Raises what is wrong with the request, while there is still time for an HTTP status.
    """
    first = await anext(batches, None)

    async def events() -> AsyncGenerator[bytes, None]:
        async with aclosing(batches):
            if first:
                yield _encode(first, wrap)
            try:
                async for updates in batches:
                    yield _encode(updates, wrap)
            except A2AError as error:
                data = json_utils.dumps(explain(error))
                yield f"event: error\r\ndata: {data}\r\n\r\n".encode()

    return events()


def _encode(updates: list[Update], wrap: Callable[[str], str]) -> bytes:
    return "".join(
        # A plain message belongs to no task, so it has no number.
        ("" if update.number is None else f"id: {update.number}\r\n")
        + f"data: {wrap(update.json)}\r\n\r\n"
        for update in updates
    ).encode()
