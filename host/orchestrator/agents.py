"""Gives the steps of a run access to the followed agents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import anyio
from anyio.abc import TaskGroup
from google.protobuf.json_format import MessageToDict

from ..clients.connection import Connection
from ..errors import AgentUnreachable, CourtsideError
from ..feed.feed import Feed
from ..following.collector import Collector
from ..following.roster import Roster

CONNECT_TIMEOUT_S = 15.0
POLL_S = 0.05


class AttemptFailed(CourtsideError):
    """The step cannot be done now. If `is_final`, retrying is unwanted."""

    def __init__(self, why: str, *, is_final: bool = False) -> None:
        super().__init__(why)
        self.is_final = is_final


@dataclass(frozen=True)
class Agents:
    """The followed agents. `background` outlives the runs, for messages in flight.

    After a restart of the host, its agents may look lost for a moment. Therefore
    `is_restarted` waits for lost agents too.
    """

    roster: Roster
    feed: Feed
    background: TaskGroup
    is_restarted: bool = False

    def get_cards(self) -> dict[str, dict[str, Any]]:
        """Return the cards of the connected agents by name, as A2A JSON."""
        return {
            name: MessageToDict(connection.card)
            for name in self.roster.names()
            if (connection := _get_connection(self.roster.collector(name)))
        }

    def find_by_skill(self, skill: str) -> str:
        """Return the only followed agent with the skill. Raises AttemptFailed."""
        rows = self.feed.board.agents
        names = [
            name
            for name in self.roster.names()
            if name in rows and any(s.id == skill for s in rows[name].skills)
        ]
        if len(names) == 1:
            return names[0]
        if names:
            raise AttemptFailed(
                f"several agents have the skill {skill!r} ({', '.join(names)}): set "
                "the step's agent in the plan"
            )
        raise AttemptFailed(f"no followed agent has the skill {skill!r}")

    async def wait_for(self, name: str) -> Collector:
        """Wait while the agent is being connected.

        Raises UnknownAgent and AgentUnreachable.
        """
        collector = self.roster.collector(name)
        with anyio.move_on_after(CONNECT_TIMEOUT_S):
            while not _get_connection(collector):
                row = self.feed.board.agents.get(name)
                if not self.is_restarted and row and row.connection != "connecting":
                    break
                await anyio.sleep(POLL_S)
        _ = collector.connection  # Raises AgentUnreachable with the cause.
        return collector


def _get_connection(collector: Collector) -> Connection | None:
    try:
        return collector.connection
    except AgentUnreachable:
        return None
