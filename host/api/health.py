"""Serves /healthz and /readyz.

Without a role, a client of a host with a token gets only the status.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..feed.feed import Feed
from ..following.config_reloader import ConfigReloader
from ..following.roster import Roster
from .responses import json_response
from .sessions import get_role

NO_STORE = {"cache-control": "no-store"}


class Health(Struct, frozen=True):
    """The body of /healthz."""

    status: Literal["ok", "failing"]
    cause: Annotated[
        str | UnsetType | None, Meta(description="Why the log cannot be written.")
    ] = UNSET
    config: Annotated[
        str | UnsetType | None, Meta(description="Why courtside.toml is unusable.")
    ] = UNSET
    epoch: str | UnsetType = UNSET
    head: Annotated[
        int | UnsetType, Meta(description="The id of the newest event.")
    ] = UNSET
    agents: Annotated[
        dict[str, str] | UnsetType,
        Meta(description="The connection of each agent, by name."),
    ] = UNSET


class Readiness(Struct, frozen=True):
    """The body of /readyz."""

    status: Literal["ready", "not ready"]
    cause: str | UnsetType | None = UNSET


class HealthApi:
    """Set `not_ready` to the cause while the host starts or stops."""

    def __init__(self, feed: Feed, roster: Roster, reloader: ConfigReloader) -> None:
        self.not_ready: str | None = "the host is starting"
        self._feed = feed
        self._roster = roster
        self._reloader = reloader

    @property
    def not_ready_cause(self) -> str | None:
        fault = self._feed.fault
        return self.not_ready or (f"the log fails: {fault}" if fault else None)

    def routes(self) -> list[Route]:
        return [Route("/healthz", self.healthz), Route("/readyz", self.readyz)]

    async def healthz(self, request: Request) -> Response:
        """Respond with 200 while the log can be written, else with 503."""
        fault = self._feed.fault
        health = Health("failing" if fault else "ok")
        if get_role(request.scope) is not None:
            health = Health(
                status=health.status,
                cause=fault,
                config=self._reloader.trouble,
                epoch=self._feed.epoch,
                head=self._feed.head,
                agents={row.agent: row.connection for row in self._roster.rows()},
            )
        return json_response(health, 503 if fault else 200)

    async def readyz(self, request: Request) -> Response:
        """Respond with 200 while the host accepts requests, else with 503."""
        cause = self.not_ready_cause
        has_role = get_role(request.scope) is not None
        state = Readiness(
            "not ready" if cause else "ready", cause if has_role else UNSET
        )
        return json_response(state, 503 if cause else 200, NO_STORE)
