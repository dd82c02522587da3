"""Builds one agent's web application: card, both bindings, ticker, JSON errors.

__main__.py serves it; every A2A request goes on to handler.py.
"""

import signal
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from types import FrameType

import anyio
import uvicorn
from a2a.server.routes import (
    create_agent_card_routes,
    create_jsonrpc_routes,
    create_rest_routes,
)
from a2a.types.a2a_pb2 import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from a2a.utils.constants import PROTOCOL_VERSION_1_0, TransportProtocol
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agents import progress
from agents.executor import ScriptExecutor, Sleep
from agents.handler import Handler
from agents.steps import Character
from agents.ticker import Ticker, TickingTaskStore

# A card only changes with a new version, but whoever follows it wants to know soon.
CARD_CACHE_CONTROL = "public, max-age=60"
# Asked to stop, streams end themselves within this time, or are cancelled …
STREAMS_GRACE_S = 0.7
# … and whatever is open even then is cut off: two seconds are promised for it all.
CUT_S = 1


def build_card(character: Character, url: str) -> AgentCard:
    """The card of `character`, served at `url` (no slash at the end)."""
    bindings = (
        (f"{url}/", TransportProtocol.JSONRPC),
        (url, TransportProtocol.HTTP_JSON),
    )
    return AgentCard(
        name=character.title,
        description=character.description,
        version=character.version,
        supported_interfaces=[
            AgentInterface(
                url=at,
                protocol_binding=binding.value,
                protocol_version=PROTOCOL_VERSION_1_0,
            )
            for at, binding in bindings
        ],
        capabilities=AgentCapabilities(
            streaming=True,
            push_notifications=False,
            extensions=[progress.extension()],
        ),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain", "application/json"],
        skills=[
            AgentSkill(
                id=skill.id,
                name=skill.name,
                description=skill.description,
                tags=skill.tags,
                examples=skill.examples,
            )
            for skill in character.skills
        ],
    )


def build_app(
    character: Character, url: str, *, step_s: float, sleep: Sleep = anyio.sleep
) -> Starlette:
    """The whole agent. `step_s`: seconds per beat; `sleep`: how they pass."""
    card = build_card(character, url)
    ticker = Ticker()
    executor = ScriptExecutor(character, step_s, sleep)
    handler = Handler(character, card, executor, TickingTaskStore(ticker))

    async def close() -> None:
        """Ends every task and with it every stream, cleanly. May be called twice."""
        await handler.aclose()
        await executor.aclose()
        ticker.close()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await close()

    app = Starlette(
        routes=[
            *create_agent_card_routes(card, cache_control=CARD_CACHE_CONTROL),
            Route("/tasks/stream", _streaming(ticker)),
            *create_jsonrpc_routes(handler, "/", shutdown_grace_period=STREAMS_GRACE_S),
            # Last: they end in a mount that takes every path of two segments.
            *create_rest_routes(handler, shutdown_grace_period=STREAMS_GRACE_S),
        ],
        lifespan=lifespan,
        exception_handlers={HTTPException: _explaining(character)},
    )
    # That mount would also have unknown paths redirected to themselves and a slash.
    app.router.redirect_slashes = False
    app.state.close = close
    return app


class Server(uvicorn.Server):
    """Ends the open streams first: uvicorn would wait for them, then cut them off."""

    def __init__(self, app: Starlette) -> None:
        self._app = app
        super().__init__(
            uvicorn.Config(
                app,
                access_log=False,
                log_config=None,
                log_level="warning",
                timeout_graceful_shutdown=CUT_S,
                ws="none",
            )
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # A second Ctrl-C would have uvicorn skip the ending of streams, which is short.
        super().handle_exit(signal.SIGTERM, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._app.state.close()
        await super().shutdown(sockets)


def _streaming(ticker: Ticker) -> Callable[[Request], Awaitable[Response]]:
    """GET /tasks/stream: the lesson's rows of all tasks, as server-sent events."""

    async def frames() -> AsyncGenerator[ServerSentEvent, None]:
        async for line in ticker.follow():
            if isinstance(line, int):
                yield ServerSentEvent(comment=f"too slow: {line} updates skipped")
            else:
                yield ServerSentEvent(data=line)

    async def tasks_stream(request: Request) -> Response:
        return EventSourceResponse(
            frames(), sep="\n", shutdown_grace_period=STREAMS_GRACE_S
        )

    return tasks_stream


def _explaining(
    character: Character,
) -> Callable[[Request, Exception], Awaitable[Response]]:
    """What no route answers, in A2A's REST error envelope and with a way out."""

    async def explain(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        status = HTTPStatus(error.status_code).name
        message = (
            f"{character.name} has nothing at {request.method} {request.url.path}; "
            "its card is at GET /.well-known/agent-card.json, "
            "its tasks are at GET /tasks and GET /tasks/stream"
        )
        info = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": status,
            "domain": "courtside",
        }
        return JSONResponse(
            {
                "error": {
                    "code": error.status_code,
                    "status": status,
                    "message": message,
                    "details": [info],
                }
            },
            error.status_code,
            headers=error.headers,
        )

    return explain
