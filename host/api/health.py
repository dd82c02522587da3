"""Owns the windows into the host: /metrics, /readyz and /debug.json.

It reads feed, fan-out and roster when somebody looks; the page at /debug shows it, too.
"""

from __future__ import annotations

import asyncio
import time

import msgspec
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..feed.fanout import Fanout
from ..feed.feed import Feed
from ..following.collector import Collector
from ..following.roster import Roster
from ..model.debug_state import MAX_SHOWN, AgentState, DebugState
from ..model.timestamps import format_timestamp
from ..version import VERSION
from .metrics import Metrics
from .responses import json_response
from .sessions import get_role

LAG_EVERY_S = 0.5
NO_STORE = {"cache-control": "no-store"}


class Observatory:
    """`run` it in a task group. `not_ready` says why the host does not serve now."""

    def __init__(self, feed: Feed, fanout: Fanout, roster: Roster) -> None:
        self.not_ready: str | None = "the host is starting"
        self._feed = feed
        self._fanout = fanout
        self._roster = roster
        self._metrics = Metrics(feed, fanout, roster, VERSION)
        self._registry = self._metrics.registry()

    def routes(self) -> list[Route]:
        return [
            Route("/metrics", self.metrics),
            Route("/readyz", self.readyz),
            Route("/debug.json", self.debug),
        ]

    async def run(self) -> None:
        """Measures how late the event loop is, a few times a second."""
        while True:
            due = time.perf_counter() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            self._metrics.lag.add(max(0.0, time.perf_counter() - due))

    async def metrics(self, request: Request) -> Response:
        """Prometheus' text, or OpenMetrics where that is asked for."""
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(
            encode(self._registry), headers={**NO_STORE, "content-type": media_type}
        )

    async def readyz(self, request: Request) -> Response:
        """200 where requests are welcome, else 503 with why they are not, which is not
        for strangers."""
        cause = self._trouble
        state: dict[str, str | None] = {"status": "not ready" if cause else "ready"}
        if get_role(request.scope) is not None:
            state["cause"] = cause
        return json_response(state, 503 if cause else 200, NO_STORE)

    @property
    def _trouble(self) -> str | None:
        fault = self._feed.fault
        return self.not_ready or (f"the log fails: {fault}" if fault else None)

    async def debug(self, _: Request) -> Response:
        """Each collector, each reader, the feed: as they stand now."""
        return Response(await self.as_json(), 200, NO_STORE, "application/json")

    async def as_json(self) -> bytes:
        return msgspec.json.encode(await self.inside())

    async def inside(self) -> DebugState:
        readers, lagging = self._fanout.count()
        return DebugState(
            at=format_timestamp(time.time()),
            version=VERSION,
            not_ready=self._trouble,
            feed=await self._feed.state(),
            agents=[self._agent(one) for one in self._roster.collectors()],
            readers=readers,
            lagging=lagging,
            furthest_behind=self._fanout.furthest_behind(MAX_SHOWN),
        )

    def _agent(self, collector: Collector) -> AgentState:
        row = self._roster.row(collector.name)
        spoken = (row.binding, row.protocol, row.interface_url)
        return AgentState(
            agent=row.agent,
            url=row.url,
            connection=row.connection,
            cause=row.cause,
            since=row.received_at,
            interface="{} {} at {}".format(*spoken) if row.binding else None,
            followed=row.followed,
            discovery=row.discovery,
            trouble=row.trouble,
            collector=collector.state,
        )
