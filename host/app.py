"""Owns the wiring: one log, one feed, a collector for each agent, the HTTP doors.

`create_app` builds it; `__main__` serves it. The only module of the host that
knows the dashboard.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard.app import create_app as create_dashboard
from host.collector import Collector
from host.config import Config
from host.errors import CursorError
from host.feed import Feed
from host.guard import Guard
from host.history import History
from host.log import Log
from host.relay import HANDLED, Relay, error_response
from host.stream import FeedStream

DRAIN_S = 1.0


class Host:
    """The ASGI application, and `stop` to end its streams before the server waits."""

    def __init__(self, config: Config, log: Log) -> None:
        self._log = log
        self._feed = Feed(log)
        self._collectors = {
            name: Collector(name, url, self._feed)
            for name, url in config.agents.items()
        }
        self._streams: dict[str, ASGIApp] = {
            "/feed": FeedStream(self._feed),
            "/tasks/stream": FeedStream(self._feed, lesson=True),
        }
        self._rest = Starlette(
            routes=[
                *History(self._feed).routes(),
                *Relay(self._collectors).routes(),
                Mount("/", create_dashboard()),
            ],
            exception_handlers={
                CursorError: _bad_request,
                **dict.fromkeys(HANDLED, error_response),
            },
            lifespan=self._lifespan,
        )
        self._app = Guard(self._route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Streams are taken here: a layer of middleware more is a wrapper per reader.
        app = self._streams.get(scope.get("path", ""), self._rest)
        await app(scope, receive, send)

    def stop(self) -> None:
        """Ends every reader's stream. Safe to call from a signal handler."""
        self._feed.close_readers()

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        await self._feed.open()
        async with anyio.create_task_group() as writing:
            writing.start_soon(self._feed.run)
            async with anyio.create_task_group() as following:
                for collector in self._collectors.values():
                    following.start_soon(collector.run)
                yield
                following.cancel_scope.cancel()
            self._feed.close()
            # A log that does not answer must not keep the process.
            writing.cancel_scope.deadline = anyio.current_time() + DRAIN_S
        await self._log.close()


def _bad_request(_: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", 400)
