"""Owns what a manager needs of the agents, however it speaks with them.

straight.py and over_host.py are the two ways; the manager takes one.
"""

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
from ..protocol.messages import build_message
from .direct import Straight
from .task_table import Ledger, Update
from .via_host import OverHost


class Way(Protocol):
    """Calls raise AgentUnreachable, HostUnreachable and Refused."""

    async def run(self, ledger: Ledger) -> None:
        """Brings every event to `ledger`, until cancelled. It says when it is ready."""

    async def send(self, agent: str, body: Update) -> StreamResponse:
        """The first answer to an A2A SendMessageRequest, given as JSON."""

    async def cancel(self, agent: str, task_id: str) -> str:
        """The state (TASK_STATE_…) in which the agent leaves the task."""


def way_to(
    agents: Mapping[str, str] | None, host: str | None, token: str | None = None
) -> Way:
    if host is None:
        return Straight(_here() if agents is None else _checked(agents))
    if agents is not None:
        raise ConfigError("give agents or host, not both: the host has its own agents")
    if token is None:
        token = read_client_token(os.environ, Path.cwd())
    return OverHost(host, token)


def _here() -> Mapping[str, AgentSettings]:
    """As the host would read them in this folder."""
    return read({}, os.environ, Path.cwd()).agents


def _checked(agents: Mapping[str, str]) -> dict[str, AgentSettings]:
    checked = {}
    for name, url in agents.items():
        try:
            checked[check_name(name)] = AgentSettings(check_url(url))
        except ConfigError as error:
            # Not the URL: there may be a password in it.
            raise ConfigError(f"agents[{name!r}]: {error}") from None
    return checked


def request(text: str, more: Update) -> Update:
    """An A2A SendMessageRequest; the answer is wanted before the work is done."""
    return {
        "message": build_message("ROLE_USER", text, **more),
        "configuration": {"returnImmediately": True},
    }
