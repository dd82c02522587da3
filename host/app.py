"""Builds the host from its parts: the log, the feed, the agents and the HTTP endpoints.

The only module of the host that imports the dashboard.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from . import get_sibling
from .api.agents import AgentsApi
from .api.debug import DebugApi
from .api.feed_stream import FeedStream
from .api.guard import Guard
from .api.health import HealthApi
from .api.history import HistoryApi
from .api.metrics import Metrics
from .api.openapi.document import build_routes as build_api_reference
from .api.responses import (
    EXPECTED_ERRORS,
    add_safety_headers,
    error_response,
    query_error_response,
    send_failure,
    wrong_method_response,
)
from .config.agent_settings import HOST_NAME, AgentSettings
from .config.load import Config
from .errors import CourtsideError, LogError, QueryError
from .feed.feed import Feed
from .feed.maintenance import maintain
from .feed.sse_fanout import Fanout
from .following.config_reloader import ConfigReloader
from .following.roster import Roster
from .gateway import http_json, jsonrpc
from .gateway.backend import Backend
from .gateway.gateway import Gateway
from .gateway.requests import ClientGone, client_gone_response
from .log.contract import Log
from .observability.logfmt import Line
from .observability.otel import OtlpTracer
from .observability.trace import TraceMiddleware, TracePropagator, Tracer
from .orchestrator.orchestrator import Orchestrator

if TYPE_CHECKING:
    from dashboard.app import create_app as create_dashboard
else:
    create_dashboard = import_module(get_sibling("dashboard.app")).create_app

logger = logging.getLogger("courtside.app")

DRAIN_S = 1.0


class Host:
    """The ASGI application.

    `read_agents` reads the configured agents again. `also` runs until the host stops.
    """

    def __init__(
        self,
        config: Config,
        log: Log,
        read_agents: Callable[[], Mapping[str, AgentSettings]] | None = None,
        also: Callable[[Feed], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        self.failed = False
        self._also = also
        self._start_agents = config.agents
        self._log = log
        self.feed = Feed(log, config.keep_events, config.keep_s, config.keep_bytes)
        self._fanout = Fanout(self.feed)
        self._roster = Roster(
            self.feed,
            config.agents,
            config.data_dir,
            private_agents=config.access.private_agents,
        )
        self._reloader = ConfigReloader(
            self._roster, config.file, read_agents or self._get_start_agents
        )
        self._guard = Guard(config.host, config.port, config.access)
        url = f"{config.url}/a2a/{HOST_NAME}"
        self._orchestrator = Orchestrator(config.plans, self._roster, self.feed, url)
        self._gateway = Gateway(self.feed, self._find_agent)
        self._health = HealthApi(self.feed, self._roster, self._reloader)
        self._metrics = Metrics(self.feed, self._fanout, self._roster)
        self._streams: dict[str, ASGIApp] = {
            "/feed": FeedStream(self.feed, self._fanout),
            "/tasks/stream": FeedStream(self.feed, self._fanout, lesson=True),
        }
        self._rest = self._create_rest()
        self._tracer = _create_tracer(config)
        self._traced = (
            TraceMiddleware(self._rest, self._tracer) if self._tracer else self._rest
        )

    def _create_rest(self) -> Starlette:
        """Create the application for all endpoints except the streams."""
        debug = DebugApi(self.feed, self._fanout, self._roster, self._health)
        rest = Starlette(
            routes=[
                *HistoryApi(self.feed).routes(),
                *self._health.routes(),
                *self._metrics.routes(),
                *debug.routes(),
                *build_api_reference(),
                *AgentsApi(self._roster, self._reloader).routes(),
                *jsonrpc.build_routes(self._gateway),
                *http_json.build_routes(self._gateway),
            ],
            exception_handlers={
                QueryError: query_error_response,
                ClientGone: client_gone_response,
                405: wrong_method_response,
                **dict.fromkeys(EXPECTED_ERRORS, error_response),
            },
            lifespan=self._lifespan,
        )
        # Not mounted at "/": a mount would return 404 for a wrong method, not 405.
        rest.router.default = create_dashboard(
            self.feed.board.checkpoint, debug.read_state, self._guard.sessions
        )
        return rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Streams bypass Starlette: each layer costs one coroutine per open reader.
        stream = self._streams.get(scope.get("path", ""))
        app = self._guard.check_request(scope, stream or self._traced)
        try:
            await app(
                scope, receive, send if app is stream else add_safety_headers(send)
            )
        except ClientDisconnect:  # While an endpoint read the body.
            return
        except Exception:
            if scope["type"] == "http":
                await send_failure(scope, receive, send)
            raise

    def _get_start_agents(self) -> Mapping[str, AgentSettings]:
        return self._start_agents

    def _find_agent(self, name: str) -> Backend:
        """Raises UnknownAgent."""
        if name == self._orchestrator.name:
            return self._orchestrator
        return self._roster.collector(name)

    def stop(self) -> None:
        """End all streams. A signal handler may call this."""
        self._health.not_ready = "the host is stopping"
        self._loop.call_soon_threadsafe(self._fanout.stop)
        self._loop.call_soon_threadsafe(self._gateway.stop)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Run the host. If a background task fails, log it and end the process."""
        try:
            async with self.running():
                yield
        except Exception as error:
            is_expected = isinstance(error, CourtsideError)
            logger.critical(Line(host="failed", cause=error), exc_info=not is_expected)
            self.failed = True
            signal.raise_signal(signal.SIGTERM)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the agents and write the feed while the block runs."""
        self._loop = asyncio.get_running_loop()
        await self.feed.open()
        async with anyio.create_task_group() as writing:
            writing.start_soon(self.feed.write)
            async with anyio.create_task_group() as following:
                following.start_soon(maintain, self.feed)
                following.start_soon(self._fanout.run)
                await following.start(self._roster.run)
                await following.start(self._orchestrator.run)
                following.start_soon(self._reloader.run)
                following.start_soon(self._gateway.run)
                following.start_soon(self._metrics.run)
                if self._also:
                    following.start_soon(self._also, self.feed)
                self._health.not_ready = None
                yield
                following.cancel_scope.cancel()
            self.feed.close()
            # A log that does not respond must not keep the process alive.
            writing.cancel_scope.deadline = anyio.current_time() + DRAIN_S
        try:
            await self.feed.checkpoint()
        except LogError as error:
            # The next start rebuilds the board from the events.
            logger.error(Line(board="unsaved", cause=error))
        await self._log.close()
        if self._tracer:
            await anyio.to_thread.run_sync(self._tracer.close)


def _create_tracer(config: Config) -> Tracer | None:
    """Raises ConfigError if OpenTelemetry is needed but not installed."""
    if not config.trace:
        return None
    return OtlpTracer(config.otel_service) if config.otel_service else TracePropagator()
