"""Writes an agent's row into the feed: its card and its connection.

Each change becomes one `agent` event.
"""

from __future__ import annotations

import logging
from typing import Any

import anyio
from a2a.types import a2a_pb2 as pb

from ..clients.connection import Connection
from ..feed.feed import Feed
from ..log.contract import Entry
from ..model.event import AgentEvent, Event, Skill
from ..model.timestamps import now
from ..observability.logfmt import Line

logger = logging.getLogger("courtside.agent_row")

TROUBLE_OVER_S = 30.0  # After so long without trouble, the row no longer reports it.
FOUND_EVERY_S = 3_600.0  # After so long, or so many events, the row says again until
FOUND_EVERY_EVENTS = 5_000  # when all tasks are found: a new host continues there.
CARD_FIELDS = ("title", "description", "version", "skills", "found_from", "found_until")
CONNECTION_FIELDS = (
    "binding",
    "protocol",
    "interface_url",
    "followed",
    "discovery",
    "lint",
)


class AgentRow:
    """Writes the row, and other events of the agent that belong to no task."""

    def __init__(self, name: str, url: str, feed: Feed) -> None:
        self.name = name
        self._url = url
        self._feed = feed
        self.left_out = 0  # Updates that were dropped: too many, or unreadable.
        self._version: int | None = None
        self._trouble_at = 0.0
        self._send_failure: str | None = None
        self._lasting: str | None = None
        self._passing: str | None = None
        self._found: dict[str, str] = {}
        self._written_at = 0.0
        self._written_events = 0

    async def set_connecting(self) -> None:
        await self._write("connecting")

    async def set_connected(self, connection: Connection) -> None:
        card, interface = connection.card, connection.interface
        self._lasting, self._passing = connection.trouble, None
        await self._write(
            "connected",
            title=card.name,
            description=card.description,
            version=card.version,
            skills=build_skills(card),
            binding=interface.binding,
            protocol=interface.version,
            interface_url=interface.url,
            followed=connection.followed,
            discovery=connection.discovery,
            trouble=self._trouble,
        )

    async def set_lost(self, cause: str, attempt: int, retry_s: float) -> None:
        await self._write("lost", cause=cause, attempt=attempt, retry_s=retry_s)

    async def set_removed(self) -> None:
        await self._write("removed")

    async def report_discovery(
        self, connection: Connection, found_from: str | None, found_until: str | None
    ) -> None:
        """Report which tasks are found, and the lasting trouble, if that is new.

        The times between which all are found are in the next row that is written.
        """
        if found_until:
            self._found = {"found_from": found_from or "", "found_until": found_until}
        self._lasting = connection.trouble
        await self._update(discovery=connection.discovery)

    async def report_trouble(self, trouble: str) -> None:
        """Report, once, what is wrong with an agent that is connected all the same."""
        self._trouble_at = anyio.current_time()
        self._passing = trouble
        await self._update()

    async def clear_old_trouble(self) -> None:
        if anyio.current_time() - self._trouble_at > TROUBLE_OVER_S:
            self._passing = None
            await self._update()

    async def set_lint(self, lint: list[str]) -> None:
        """Write what is wrong with the agent's responses, if that is new."""
        row = self._row
        if lint and row and row.connection == "connected" and row.lint != lint:
            fields = _copy_fields(row, CONNECTION_FIELDS) | {"lint": lint}
            await self._write("connected", **fields, trouble=row.trouble)

    async def report_send_failure(self, cause: str) -> None:
        """Report that the agent cannot take messages, until it takes one."""
        self._send_failure = f"messages fail: {cause}"
        await self._update()

    async def clear_send_failure(self) -> None:
        if self._send_failure:
            self._send_failure = None
            await self._update()

    async def _update(self, **fields: Any) -> None:
        """Write the row if the agent is connected, and something is new."""
        row = self._row
        if row is None or row.connection != "connected":
            return
        before = _copy_fields(row, CONNECTION_FIELDS)
        is_new = before | fields != before or row.trouble != self._trouble
        if is_new or self._is_found_old(row):
            await self._write("connected", **before | fields, trouble=self._trouble)

    def _is_found_old(self, row: AgentEvent) -> bool:
        """Return whether a new host would have to list many tasks again."""
        if not self._found or row.found_until == self._found["found_until"]:
            return False
        age_s = anyio.current_time() - self._written_at
        count = self._event_count - self._written_events
        return age_s >= FOUND_EVERY_S or count >= FOUND_EVERY_EVENTS

    @property
    def _event_count(self) -> int:
        """The number of events of the agent's tasks since the start."""
        return self._feed.published_by[self.name, "task"]

    @property
    def _trouble(self) -> str | None:
        troubles = [self._lasting, self._send_failure, self._passing]
        return "; ".join(filter(None, troubles)) or None

    @property
    def cause(self) -> str | None:
        """Why the agent is lost, if it is."""
        return self._row.cause if self._row else None

    async def append(self, event: Event, raw: bytes | None = None) -> None:
        """Write an event of the agent. `raw` is the A2A update that it came from."""
        budget = self._feed.budget(self.name)
        if raw is not None:  # The host's own rows are few, and do not wait.
            await budget.wait()
        if self._version is None:
            self._version = await self._feed.high_water(self.name)
        self._version += 1
        entry = Entry.of(self.name, self._version, event, raw)
        budget.spend(entry.size)
        await self._feed.append([entry])

    @property
    def _row(self) -> AgentEvent | None:
        return self._feed.board.agents.get(self.name)

    async def _write(self, connection: str, **fields: Any) -> None:
        """Write the row. The fields of the card stay while the agent is lost."""
        self._written_at = anyio.current_time()
        self._written_events = self._event_count
        cause = fields.get("cause") or fields.get("trouble")
        logger.info(Line(agent=self.name, connection=connection, cause=cause))
        card = _copy_fields(self._row, CARD_FIELDS) if self._row else {}
        event = AgentEvent(
            agent=self.name,
            url=self._url,
            connection=connection,
            received_at=now(),
            **(card | self._found | fields),
        )
        await self.append(event)


def _copy_fields(row: AgentEvent, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def build_skills(card: pb.AgentCard) -> list[Skill]:
    return [Skill(s.id, s.name, s.description, list(s.examples)) for s in card.skills]
