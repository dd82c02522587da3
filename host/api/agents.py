"""Serves /agents: lists, adds, removes and retries agents, and reloads their settings.

Events in the feed report the results.
"""

from __future__ import annotations

from functools import partial

import msgspec
from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..config.agent_settings import (
    MAX_TASKS,
    POLL_IDLE_S,
    POLL_S,
    STALLED_AFTER_S,
    Pause,
    Seconds,
    TaskCount,
)
from ..errors import ConfigError
from ..following.config_reloader import ConfigReloader
from ..following.roster import Roster
from ..following.roster_file import AddedAgent
from .json_body import read_json
from .responses import json_response


class NewAgent(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /agents. Credentials must be in courtside.toml."""

    url: str
    name: str | None = None
    card: str | None = None
    stalled_after_s: Seconds = STALLED_AFTER_S
    poll_s: Pause = POLL_S
    poll_idle_s: Pause = POLL_IDLE_S
    max_tasks: TaskCount = MAX_TASKS


OPTIONAL = [name for name in NewAgent.__struct_fields__ if name != "url"]


class AgentsApi:
    def __init__(self, roster: Roster, reloader: ConfigReloader) -> None:
        self._roster = roster
        self._reloader = reloader

    def routes(self) -> list[Route]:
        return [
            Route("/agents", self.list_rows, methods=["GET"]),
            Route("/agents", self.add, methods=["POST"]),
            Route("/agents:reload", self.reload, methods=["POST"]),
            Route("/agents/{agent}:retry", self.retry, methods=["POST"]),
            Route("/agents/{agent}", self.row, methods=["GET"]),
            Route("/agents/{agent}", self.remove, methods=["DELETE"]),
        ]

    async def list_rows(self, _: Request) -> Response:
        """Respond with the rows of all followed agents."""
        return json_response({"agents": self._roster.rows()})

    async def add(self, request: Request) -> Response:
        """Follow one more agent. Respond with 201 and its row, before it connects."""
        try:
            agent = await read_json(request, partial(msgspec.convert, type=NewAgent))
        except msgspec.ValidationError as error:
            raise ConfigError(
                f"the body is not a valid agent: {error}; send url, and optionally "
                f"{', '.join(OPTIONAL)} (credentials belong in courtside.toml)"
            ) from error
        values = msgspec.structs.asdict(agent)
        name = values.pop("name")
        name = await self._roster.add(name, AddedAgent(**values).to_settings())
        # Relative, because a proxy may serve the host below a base path.
        return json_response(
            self._roster.row(name), 201, {"location": f"agents/{name}"}
        )

    async def row(self, request: Request) -> Response:
        return json_response(self._roster.row(_read_name(request)))

    async def remove(self, request: Request) -> Response:
        """Stop following the agent. Its events stay in the feed."""
        await self._roster.remove(_read_name(request))
        return Response(status_code=204)

    async def retry(self, request: Request) -> Response:
        """Retry a lost agent at once."""
        self._roster.retry(request.path_params["agent"])
        return json_response({}, 202)

    async def reload(self, _: Request) -> Response:
        """Read courtside.toml. Respond with the names of the changed agents."""
        return json_response((await self._reloader.reload())._asdict())


def _read_name(request: Request) -> str:
    name: str = request.path_params["agent"]
    if name.endswith(":retry"):
        raise HTTPException(405)  # This path accepts POST only.
    return name
