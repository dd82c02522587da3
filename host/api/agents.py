"""Owns the agents' own door: `/agents/{name}`, to add, remove and retry one.

It tells the roster; what comes of it is seen in the feed.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..errors import ConfigError
from ..following.reloader import Reloader
from ..following.roster import Roster
from ..following.roster_file import AddedAgent
from .responses import json_response, read_json


class NewAgent(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /agents. Credentials are given in courtside.toml only."""

    url: str
    name: str | None = None
    card: str | None = None


class AgentsApi:
    """Routes over one roster and the file that it is configured by."""

    def __init__(self, roster: Roster, reloader: Reloader) -> None:
        self._roster = roster
        self._reloader = reloader

    def routes(self) -> list[Route]:
        return [
            Route("/agents", self.add, methods=["POST"]),
            Route("/agents:reload", self.reload, methods=["POST"]),
            Route("/agents/{agent}:retry", self.retry, methods=["POST"]),
            Route("/agents/{agent}", self.row, methods=["GET"]),
            Route("/agents/{agent}", self.remove, methods=["DELETE"]),
        ]

    async def add(self, request: Request) -> Response:
        """201 with the agent's row; whether it can be reached the feed will say."""
        try:
            wanted = msgspec.convert(await read_json(request), NewAgent)
        except msgspec.ValidationError as error:
            raise ConfigError(
                f"the body is no agent: {error}; use url, and name and card where "
                "wanted (credentials belong into courtside.toml)"
            ) from error
        settings = AddedAgent(wanted.url, wanted.card).to_settings()
        name = await self._roster.add(wanted.name, settings)
        # Relative to this one, which a proxy may have put under a path of its own.
        return json_response(
            self._roster.row(name), 201, {"location": f"agents/{name}"}
        )

    async def row(self, request: Request) -> Response:
        """The current row of one agent."""
        return json_response(self._roster.row(_name(request)))

    async def remove(self, request: Request) -> Response:
        """204; what the feed has of the agent can still be read."""
        await self._roster.remove(_name(request))
        return Response(status_code=204)

    async def retry(self, request: Request) -> Response:
        """Tries a lost agent again at once."""
        self._roster.retry(request.path_params["agent"])
        return json_response({}, 202)

    async def reload(self, _: Request) -> Response:
        """Reads courtside.toml again; which agents that added, removed, changed."""
        return json_response((await self._reloader.reload())._asdict())


def _name(request: Request) -> str:
    name: str = request.path_params["agent"]
    if name.endswith(":retry"):
        # No agent's name, but a path that is there for POST.
        raise HTTPException(405)
    return name
