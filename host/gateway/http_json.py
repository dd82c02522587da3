"""Owns the gateway's HTTP+JSON: A2A 1.0, section 11, below `/a2a/{agent}`.

Requests become operations; the wiring mounts its routes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import InvalidParamsError
from a2a.utils.proto_utils import parse_params
from google.protobuf.json_format import ParseError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..api.responses import error_body, json_object, refusal_of
from ..api.sessions import is_locked
from .event_stream import Updates, Words, opened
from .operations import Operations
from .requests import (
    AnyMessage,
    check_status,
    check_version,
    extensions,
    find_public_url,
    parse_message,
    read_last_event_id,
    run_until_disconnect,
)

JSON = "application/json"
WORDS = Words(
    update=lambda update: update,
    error=lambda error: msgspec.json.encode(error_body(refusal_of(error))),
)


class HttpJson:
    """Once `ending` is set, what is under way ends."""

    def __init__(self, operations: Operations, ending: asyncio.Event) -> None:
        self._operations = operations
        self._ending = ending

    def routes(self) -> list[Route]:
        # A task's id is its agent's, and may have slashes.
        task = "/tasks/{task_id:path}"
        get, post, any_of_both = ["GET"], ["POST"], ["GET", "POST"]
        routes = [
            ("/.well-known/agent-card.json", get, self._card),
            ("/extendedAgentCard", get, self._extended_card),
            ("/message:send", post, self._send),
            ("/message:stream", post, self._stream),
            ("/tasks", get, self._list),
            (task + ":cancel", post, self._cancel),
            (task + ":subscribe", any_of_both, self._subscribe),
            (task + "/pushNotificationConfigs", any_of_both, self._push),
            (task, get, self._get),
        ]
        return [
            Route("/a2a/{agent}" + path, operation, methods=methods)
            for path, methods, operation in routes
        ]

    async def _card(self, request: Request) -> Response:
        locked = is_locked(request.scope)
        card = self._operations.card(
            _agent(request), find_public_url(request), locked=locked
        )
        return Response(card, media_type=JSON, headers={"cache-control": "no-cache"})

    async def _send(self, request: Request) -> Response:
        message = parse_message(await json_object(request), pb.SendMessageRequest())
        operation = self._operations.send
        return await self._answer(request, lambda: operation(_agent(request), message))

    async def _stream(self, request: Request) -> Response:
        message = parse_message(await json_object(request), pb.SendMessageRequest())
        told = self._operations.stream(_agent(request), message)
        return await self._told(request, told)

    async def _get(self, request: Request) -> Response:
        asked = _query(request, pb.GetTaskRequest())
        asked.id = request.path_params["task_id"]
        if asked.id.endswith(":cancel"):
            # No task's name, but a path that is there for POST.
            raise HTTPException(405)
        operation = self._operations.get_task
        return await self._answer(request, lambda: operation(_agent(request), asked))

    async def _list(self, request: Request) -> Response:
        asked = _query(request, pb.ListTasksRequest())
        check_status(request.query_params.get("status"), asked)
        operation = self._operations.list_tasks
        return await self._answer(request, lambda: operation(_agent(request), asked))

    async def _cancel(self, request: Request) -> Response:
        task_id = request.path_params["task_id"]
        operation = self._operations.cancel
        return await self._answer(request, lambda: operation(_agent(request), task_id))

    async def _subscribe(self, request: Request) -> Response:
        task_id, after = request.path_params["task_id"], read_last_event_id(request)
        told = self._operations.subscribe(_agent(request), task_id, after)
        return await self._told(request, told)

    async def _extended_card(self, request: Request) -> Response:
        operation = self._operations.extended_card
        return await self._answer(request, lambda: operation(_agent(request)))

    async def _push(self, request: Request) -> Response:
        operation = self._operations.push
        return await self._answer(request, lambda: operation(_agent(request)))

    async def _answer(
        self, request: Request, work: Callable[[], Awaitable[bytes]]
    ) -> Response:
        check_version(request)
        body = await run_until_disconnect(request, self._ending, work)
        return Response(body, media_type=JSON, headers=extensions(request))

    async def _told(self, request: Request, updates: Updates) -> Response:
        check_version(request)
        return await opened(request, self._ending, updates, WORDS, extensions(request))


def _agent(request: Request) -> str:
    name: str = request.path_params["agent"]
    return name


def _query(request: Request, message: AnyMessage) -> AnyMessage:
    try:
        parse_params(request.query_params, message)
    except (ParseError, ValueError) as error:
        raise InvalidParamsError(f"the query is wrong: {error}") from error
    return message
