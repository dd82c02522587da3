"""Builds the A2A routes: the SDK's routes, with the update's number as SSE `id:`.

app.py mounts them. request_handler.py handles every request.
"""

import json
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Any

from a2a.server.context import ServerCallContext
from a2a.server.jsonrpc_models import JSONParseError
from a2a.server.request_handlers import build_error_response
from a2a.server.routes import create_jsonrpc_routes, create_rest_routes
from a2a.server.routes.common import DefaultServerCallContextBuilder
from a2a.utils.constants import PROTOCOL_VERSION_1_0, VERSION_HEADER
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from .request_handler import CAN_START_EMPTY, RequestHandler
from .resumable_stream import SEQUENCE, URI

RPC_PATH = "/"
NO_VERSION = "0.3 (the request has no header A2A-Version)"

Endpoint = Callable[[Request], Awaitable[Response]]


def build_routes(handler: RequestHandler, grace_s: float) -> list[BaseRoute]:
    """Return JSON-RPC at `/` and HTTP+JSON at the root, in protocol 1.0 and 0.3.

    `grace_s` is how long a stream may continue after the server is asked to stop. The
    last route is a mount that takes all paths of two segments: put yours before it.
    """
    options: Any = {
        "context_builder": ContextBuilder(),
        "enable_v0_3_compat": True,
        "shutdown_grace_period": grace_s,
    }
    routes = [
        *create_jsonrpc_routes(handler, RPC_PATH, **options),
        *create_rest_routes(handler, **options),
    ]
    return [_with_ids(route) if isinstance(route, Route) else route for route in routes]


class ContextBuilder(DefaultServerCallContextBuilder):
    """Also reads the version from the query, as the specification allows.

    A browser's EventSource cannot set headers.
    """

    def build(self, request: Request) -> ServerCallContext:
        context = super().build(request)
        headers = context.state["headers"]
        version = request.headers.get(VERSION_HEADER)
        version = version or request.query_params.get(VERSION_HEADER, "")
        if not version and not _is_v03(request):
            version = NO_VERSION  # The SDK quotes it in its error.
        headers[VERSION_HEADER.lower()] = version
        context.state[CAN_START_EMPTY] = version == PROTOCOL_VERSION_1_0
        return context


def _is_v03(request: Request) -> bool:
    """Return whether the request has the form of protocol 0.3."""
    if request.url.path == RPC_PATH:
        return "/" in getattr(request.state, "method", "")
    return request.url.path.startswith("/v1/")


def _with_ids(route: Route) -> Route:
    async def answer(request: Request) -> Response:
        if route.path == RPC_PATH:
            try:
                body = await request.json()  # Starlette keeps it for the SDK.
            except (ValueError, RecursionError) as error:
                wrong = JSONParseError(message=f"The body is not JSON: {error}")
                return JSONResponse(build_error_response(None, wrong))
            request.state.method = str(isinstance(body, dict) and body.get("method"))
        response: Response = await route.endpoint(request)
        if isinstance(response, EventSourceResponse):
            response.body_iterator = _add_ids(response.body_iterator)
        return response

    return Route(route.path, answer, methods=route.methods)


async def _add_ids(events: AsyncIterable[Any]) -> AsyncIterator[Any]:
    """Set the id of each event to the number of its update."""
    async for event in events:
        if isinstance(event, dict):  # from JSON-RPC
            event = ServerSentEvent(**event)
        if isinstance(event, ServerSentEvent):  # protocol 0.3 over HTTP+JSON sends text
            update = _read_update(str(event.data))
            if update == {}:  # EMPTY_UPDATE, which only starts the response
                continue
            number = (update or {}).get("metadata", {}).get(URI)
            event.id = str(int(number[SEQUENCE])) if number else None
        yield event


def _read_update(data: str) -> dict[str, Any] | None:
    """Return the update in an event; None for a message, an error, or protocol 0.3."""
    body = json.loads(data)
    result = body.get("result", body)
    kinds = ("task", "statusUpdate", "artifactUpdate")
    return next((result[kind] for kind in kinds if kind in result), None)
