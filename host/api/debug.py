"""Serves /debug.json: the state of the feed, the collectors and the readers."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..feed.feed import Feed
from ..feed.sse_fanout import Fanout
from ..following.collector import Collector
from ..following.roster import Roster
from ..model.debug_state import MAX_SHOWN, AgentState, DebugState
from ..model.timestamps import now
from ..version import VERSION
from .health import NO_STORE, HealthApi


class DebugApi:
    def __init__(
        self, feed: Feed, fanout: Fanout, roster: Roster, health: HealthApi
    ) -> None:
        self._feed = feed
        self._fanout = fanout
        self._roster = roster
        self._health = health

    def routes(self) -> list[Route]:
        return [Route("/debug.json", self.debug)]

    async def debug(self, _: Request) -> Response:
        return Response(await self.read_state(), 200, NO_STORE, "application/json")

    async def read_state(self) -> bytes:
        """Return a DebugState as JSON."""
        readers, lagging = self._fanout.count()
        state = DebugState(
            at=now(),
            version=VERSION,
            not_ready=self._health.not_ready_cause,
            feed=await self._feed.state(),
            agents=[self._agent_state(one) for one in self._roster.collectors()],
            readers=readers,
            lagging=lagging,
            furthest_behind=self._fanout.furthest_behind(MAX_SHOWN),
        )
        return msgspec.json.encode(state)

    def _agent_state(self, collector: Collector) -> AgentState:
        row = self._roster.row(collector.name)
        interface = f"{row.binding} {row.protocol} at {row.interface_url}"
        return AgentState(
            agent=row.agent,
            url=row.url,
            connection=row.connection,
            cause=row.cause,
            since=row.received_at,
            interface=interface if row.binding else None,
            followed=row.followed,
            discovery=row.discovery,
            trouble=row.trouble,
            collector=collector.state,
        )
