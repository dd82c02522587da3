"""Owns an agent's row in the feed: who it is, if it is reached, how it is followed.

The collector tells it what happened; each change becomes one `agent` event.
"""

from __future__ import annotations

import logging
from typing import Any

import anyio
import msgspec
from a2a.types import a2a_pb2 as pb

from ..clients.connection import Connection
from ..feed.feed import Feed
from ..log.contract import Entry
from ..model.event import AgentEvent, Event, Skill
from ..model.timestamps import now
from ..observability.logfmt import Line

logger = logging.getLogger("courtside.presence")

CALM_S = 30.0  # How long an agent must behave until its trouble is over.


class Presence:
    """The events of the agent `name` that belong to none of its tasks."""

    def __init__(self, name: str, url: str, feed: Feed) -> None:
        self.name = name
        self._url = url
        self._feed = feed
        self.left_out = 0  # Updates that were too many, or that nobody could read.
        self._version: int | None = None
        self._troubled_at = 0.0

    async def connecting(self) -> None:
        await self._announce("connecting")

    async def connected(self, to: Connection) -> None:
        """Who the agent is by its card, and over what it is followed."""
        card = to.card
        await self._announce(
            "connected",
            title=card.name,
            description=card.description,
            version=card.version,
            skills=_skills(card),
            binding=to.interface.binding,
            protocol=to.interface.version,
            interface_url=to.interface.url,
            followed=to.followed,
            discovery=to.discovery,
            trouble=to.trouble,
        )

    async def lost(self, cause: str, attempt: int, retry_s: float) -> None:
        await self._announce("lost", cause=cause, attempt=attempt, retry_s=retry_s)

    async def removed(self) -> None:
        await self._announce("removed")

    async def troubled(self, trouble: str) -> None:
        """Says once what is wrong with an agent that is connected all the same."""
        self._troubled_at = anyio.current_time()
        row = self._row
        if row and row.connection == "connected" and row.trouble != trouble:
            await self._announce("connected", **_how(row), trouble=trouble)

    async def calm(self) -> None:
        """Takes the trouble back when it is long past."""
        row = self._row
        over = anyio.current_time() - self._troubled_at > CALM_S
        if over and row and row.connection == "connected" and row.trouble:
            await self._announce("connected", **_how(row))

    @property
    def cause(self) -> str | None:
        """Why the agent is lost, if it is."""
        return self._row.cause if self._row else None

    @property
    def _row(self) -> AgentEvent | None:
        return self._feed.board.agents.get(self.name)

    async def _announce(self, connection: str, **fields: Any) -> None:
        """Appends the agent's row; who it is stays known while it is lost."""
        said = fields.get("cause") or fields.get("trouble")
        logger.info(Line(agent=self.name, connection=connection, cause=said))
        who = _who(self._row) if self._row else {}
        event = AgentEvent(
            agent=self.name,
            url=self._url,
            connection=connection,
            received_at=now(),
            **(who | fields),
        )
        await self.append(event, None)

    async def append(self, event: Event, raw: bytes | None) -> None:
        if self._version is None:
            self._version = await self._feed.high_water(self.name)
        self._version += 1
        await self._feed.append([Entry.of(self.name, self._version, event, raw)])


def _who(row: AgentEvent) -> dict[str, Any]:
    fields = msgspec.structs.asdict(row)
    return {
        name: fields[name] for name in ("title", "description", "version", "skills")
    }


def _how(row: AgentEvent) -> dict[str, Any]:
    names = ("binding", "protocol", "interface_url", "followed", "discovery")
    fields = msgspec.structs.asdict(row)
    return {name: fields[name] for name in names}


def _skills(card: pb.AgentCard) -> list[Skill]:
    return [Skill(s.id, s.name, s.description, list(s.examples)) for s in card.skills]
