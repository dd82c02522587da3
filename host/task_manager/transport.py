"""The interface between a manager and agents, and the choice of its implementation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from ..config.agent_settings import AgentSettings, check_name, check_url
from ..config.load import read
from ..config.secret_refs import read_client_token
from ..errors import ConfigError
from ..protocol.a2a_objects import StreamResponse
from .direct import DirectTransport
from .task_table import TaskTable, Update
from .via_host import HostTransport


class Transport(Protocol):
    """Calls raise AgentUnreachable, HostUnreachable and Refused."""

    async def run(self, table: TaskTable) -> None:
        """Add every event to `table`, until cancelled. Calls `set_ready` once."""

    async def send(self, agent: str, body: Update) -> StreamResponse:
        """Send an A2A SendMessageRequest, given as JSON. Return the first response."""

    async def cancel(self, agent: str, task_id: str) -> str:
        """Return the state (TASK_STATE_…) of the task after the cancel."""


def create_transport(
    agents: Mapping[str, str] | None, host: str | None, token: str | None
) -> Transport:
    """Raises ConfigError."""
    if host is not None:
        if agents is not None:
            raise ConfigError("use agents or host, not both: a host has its own agents")
        if token is None:
            token = read_client_token(os.environ, Path.cwd())
        return HostTransport(host, token)
    if agents is None:
        return DirectTransport(read({}, os.environ, Path.cwd()).agents)
    settings = {}
    for name, url in agents.items():
        try:
            settings[check_name(name)] = AgentSettings(check_url(url))
        except ConfigError as error:
            # Without the URL: it may contain a password.
            raise ConfigError(f"agents[{name!r}] {error}") from None
    return DirectTransport(settings)
