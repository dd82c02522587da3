"""Owns the wiring: one log, one feed, the agents, the host as one, the HTTP rules.

`create_app` builds it; `__main__` serves it. The only module of the host that
knows the dashboard.
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
from starlette.types import ASGIApp, Receive, Scope, Send

from . import get_sibling
from .api.agents import AgentsApi
from .api.feed_stream import FeedStream
from .api.guard import Guard
from .api.health import Observatory
from .api.history import History
from .api.openapi.routes import Reference
from .api.responses import (
    EXPECTED_ERRORS,
    add_safety_headers,
    error_response,
    query_error_response,
    wrong_method_response,
)
from .config.agent_settings import HOST_NAME, AgentSettings
from .config.load import Config
from .errors import CourtsideError, LogError, QueryError
from .feed.fanout import Fanout
from .feed.feed import Feed
from .feed.maintenance import maintain
from .following.reloader import Reloader
from .following.roster import Roster
from .gateway.backend import Backend
from .gateway.gateway import Gateway, answer_client_gone
from .gateway.requests import ClientGone
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
    """The ASGI application, and `stop` to end its streams before the server waits.

    `reread` gives the agents of the settings as they are now; `also` runs while the
    host does, beside its agents.
    """

    def __init__(
        self,
        config: Config,
        log: Log,
        reread: Callable[[], Mapping[str, AgentSettings]] | None = None,
        also: Callable[[Feed], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        self.failed = False
        self._also = also
        self._log = log
        self.feed = Feed(log, config.keep_events, config.keep_s)
        self._fanout = Fanout(self.feed)
        self._roster = Roster(
            self.feed,
            config.agents,
            config.data_dir,
            private_agents=config.access.private_agents,
        )
        self._reloader = Reloader(
            self._roster, config.file, reread or (lambda: config.agents)
        )
        self._guard = Guard(config.host, config.port, config.access)
        url = f"{config.url}/a2a/{HOST_NAME}"
        self._observatory = Observatory(self.feed, self._fanout, self._roster)
        self._orchestrator = Orchestrator(config.plans, self._roster, self.feed, url)
        self._gateway = Gateway(self.feed, self._find)
        self._streams: dict[str, ASGIApp] = {
            "/feed": FeedStream(self.feed, self._fanout),
            "/tasks/stream": FeedStream(self.feed, self._fanout, lesson=True),
        }
        self._rest = Starlette(
            routes=[
                *History(self.feed, self._reloader).routes(),
                *self._observatory.routes(),
                *Reference().routes(),
                *AgentsApi(self._roster, self._reloader).routes(),
                *self._gateway.routes(),
            ],
            exception_handlers={
                QueryError: query_error_response,
                ClientGone: answer_client_gone,
                405: wrong_method_response,
                **dict.fromkeys(EXPECTED_ERRORS, error_response),
            },
            lifespan=self._lifespan,
        )
        self._tracer = _tracer(config)
        self._traced = (
            TraceMiddleware(self._rest, self._tracer) if self._tracer else self._rest
        )
        # Not a mount: at "/" it would answer 404 where a route of ours says 405.
        self._rest.router.default = create_dashboard(
            self.feed.board.checkpoint, self._observatory.as_json, self._guard
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Streams are taken here: each layer more is a coroutine per open reader.
        stream = self._streams.get(scope.get("path", ""))
        app = self._guard.admit(scope, stream or self._traced)
        await app(scope, receive, send if app is stream else add_safety_headers(send))

    def _find(self, name: str) -> Backend:
        """Who is called so. Raises UnknownAgent."""
        if name == self._orchestrator.name:
            return self._orchestrator
        return self._roster.collector(name)

    def stop(self) -> None:
        """Ends every stream. Safe to call from a signal handler."""
        self._observatory.not_ready = "the host is stopping"
        self._loop.call_soon_threadsafe(self._fanout.stop)
        self._loop.call_soon_threadsafe(self._gateway.stop)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Without its writer or its fan-out the host is no use: it ends and says so."""
        try:
            async with self.running():
                yield
        except Exception as error:
            known = isinstance(error, CourtsideError)
            logger.critical(Line(host="failed", cause=error), exc_info=not known)
            self.failed = True
            signal.raise_signal(signal.SIGTERM)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follows and writes while the block runs."""
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
                following.start_soon(self._observatory.run)
                if self._also:
                    following.start_soon(self._also, self.feed)
                self._observatory.not_ready = None
                yield
                following.cancel_scope.cancel()
            self.feed.close()
            # A log that does not answer must not keep the process.
            writing.cancel_scope.deadline = anyio.current_time() + DRAIN_S
        try:
            await self.feed.checkpoint()
        except LogError as error:
            # The next start makes the board anew.
            logger.error(Line(board="unsaved", cause=error))
        await self._log.close()
        if self._tracer:
            await anyio.to_thread.run_sync(self._tracer.close)


def _tracer(config: Config) -> Tracer | None:
    """Raises ConfigError where it lacks what it needs."""
    if not config.trace:
        return None
    return OtlpTracer(config.otel_service) if config.otel_service else TracePropagator()
