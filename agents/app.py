"""Builds the web application of one agent: page, card, task stream and A2A routes.

server.py runs it. request_handler.py answers the A2A requests.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
)
from http import HTTPStatus

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from . import a2a_routes, card, home_page, task_stream
from .executor import ScriptExecutor, Sleep
from .limits import DEFAULT_LIMITS, Limits
from .request_checks import RequestChecks, build_error
from .request_handler import RequestHandler
from .server import STREAMS_GRACE_S
from .steps import AgentSpec
from .task_store import TaskStore

SWEEP_S = 30


def build_app(
    spec: AgentSpec,
    url: str,
    *,
    step_s: float,
    sleep: Sleep = anyio.sleep,
    limits: Limits = DEFAULT_LIMITS,
    grpc_address: str | None = None,
) -> Starlette:
    """`step_s` is the length of one beat in seconds. `sleep` waits for it."""
    agent_card = card.build_card(spec, url, limits, grpc_address)
    tasks = task_stream.TaskStream()
    store = TaskStore(tasks.post, limits)
    executor = ScriptExecutor(spec, step_s, sleep)
    handler = RequestHandler(spec, agent_card, executor, store)

    async def close() -> None:
        """End all tasks and streams. Can be called twice."""
        await handler.aclose()
        await executor.aclose()
        store.close()
        tasks.close()

    app = Starlette(
        routes=[
            *home_page.build_routes(spec),
            *card.build_routes(agent_card),
            task_stream.build_route(tasks, STREAMS_GRACE_S),
            # Last: these end with a mount that takes all paths of two segments.
            *a2a_routes.build_routes(handler, STREAMS_GRACE_S),
        ],
        lifespan=_build_lifespan(handler, close, grpc_address),
        middleware=[Middleware(RequestChecks)],
        exception_handlers={HTTPException: _explain_unknown_path(spec)},
    )
    # With that mount Starlette would redirect unknown paths to themselves plus a slash.
    app.router.redirect_slashes = False
    app.state.close = close
    app.state.sweep = handler.sweep
    return app


def _build_lifespan(
    handler: RequestHandler,
    close: Callable[[], Awaitable[None]],
    grpc_address: str | None,
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    async def sweep() -> None:
        while True:
            await anyio.sleep(SWEEP_S)
            await handler.sweep()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if grpc_address is not None:
                from .grpc_server import serve_grpc

                grpc = serve_grpc(handler, grpc_address, STREAMS_GRACE_S)
                await stack.enter_async_context(grpc)
            async with anyio.create_task_group() as background:
                background.start_soon(sweep)
                yield
                background.cancel_scope.cancel()
            await close()

    return lifespan


def _explain_unknown_path(
    spec: AgentSpec,
) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Answer unknown paths and methods in A2A's format for REST errors."""

    async def explain(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        status = HTTPStatus(error.status_code).name
        message = (
            f"{spec.name} has nothing at {request.method} {request.url.path}; "
            "its card is at GET /.well-known/agent-card.json, "
            "its tasks are at GET /tasks and GET /tasks/stream"
        )
        return build_error(error.status_code, status, message, error.headers)

    return explain
