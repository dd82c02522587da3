"""Builds one agent's web application: card, both bindings, ticker, JSON errors.

__main__.py serves it; every A2A request goes on to handler.py.
"""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from types import FrameType

import anyio
import uvicorn
from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agents import page, resume
from agents.bindings import routes as a2a_routes
from agents.card import build_card
from agents.card import routes as card_routes
from agents.door import Door
from agents.executor import ScriptExecutor, Sleep
from agents.handler import Handler
from agents.limits import DEFAULT_LIMITS, Limits
from agents.steps import Character
from agents.store import Store
from agents.ticker import Ticker

# How often the agent looks for tasks that nobody needs any longer.
SWEEP_S = 30
# Asked to stop, streams end themselves within this time, or are cancelled …
STREAMS_GRACE_S = 0.7
# … and whatever is open even then is cut off: two seconds are promised for it all.
CUT_S = 1


def build_app(
    character: Character,
    url: str,
    *,
    step_s: float,
    sleep: Sleep = anyio.sleep,
    limits: Limits = DEFAULT_LIMITS,
    grpc_address: str | None = None,
) -> Starlette:
    """The whole agent. `step_s`: seconds per beat; `sleep`: how they pass."""
    resume.register_error()
    card = build_card(character, url, limits, grpc_address)
    ticker = Ticker()
    store = Store(ticker.post, limits)
    executor = ScriptExecutor(character, step_s, sleep)
    handler = Handler(character, card, executor, store)

    async def close() -> None:
        """Ends every task and with it every stream, cleanly. May be called twice."""
        await handler.aclose()
        await executor.aclose()
        store.close()
        ticker.close()

    async def sweep() -> None:
        while True:
            await anyio.sleep(SWEEP_S)
            await handler.sweep()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if grpc_address is not None:
                from agents.grpc_server import serving

                calls = serving(handler, grpc_address, STREAMS_GRACE_S)
                await stack.enter_async_context(calls)
            async with anyio.create_task_group() as background:
                background.start_soon(sweep)
                yield
                background.cancel_scope.cancel()
            await close()

    app = Starlette(
        routes=[
            *page.routes(character),
            *card_routes(card),
            Route("/tasks/stream", _streaming(ticker)),
            # Last: they end in a mount that takes every path of two segments.
            *a2a_routes(handler, STREAMS_GRACE_S),
        ],
        lifespan=lifespan,
        middleware=[Middleware(Door)],
        exception_handlers={HTTPException: _explaining(character)},
    )
    # That mount would also have unknown paths redirected to themselves and a slash.
    app.router.redirect_slashes = False
    app.state.close = close
    app.state.sweep = handler.sweep
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
        # uvicorn's own would signal the process once more when all has ended, and skip
        # the ending of streams, which is short, at a second Ctrl-C.
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._app.state.close()
        await super().shutdown(sockets)


def _streaming(ticker: Ticker) -> Callable[[Request], Awaitable[Response]]:
    """GET /tasks/stream: the lesson's rows of all tasks, as server-sent events."""

    async def tasks_stream(request: Request) -> Response:
        rows = ticker.follow(request.headers.get("last-event-id", ""))
        return EventSourceResponse(
            rows, sep="\n", shutdown_grace_period=STREAMS_GRACE_S
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
