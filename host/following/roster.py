"""Owns which agents are followed: a collector for each, added and removed at run time.

What it changes goes to `agents.json` first; its collectors tell the feed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import anyio
from anyio.abc import TaskGroup, TaskStatus

from ..config.agent_name import suggest_name
from ..config.agent_settings import HOST_NAME, AgentSettings, check_name, check_public
from ..errors import CourtsideError, UnknownAgent
from ..feed.feed import Feed
from ..model.event import AgentEvent
from ..model.timestamps import now
from ..observability.logfmt import Line
from . import roster_file
from .collector import Collector
from .roster_file import Added, Changes, checked

logger = logging.getLogger("courtside.roster")

LAST_WORD_S = 1.0


class AgentExists(CourtsideError):
    """An agent of that name, or at that URL, is followed already."""

    status, reason = 409, "AGENT_EXISTS"


class Reloaded(NamedTuple):
    """Names of what a reload changed."""

    added: list[str]
    removed: list[str]
    changed: list[str]


class Roster:
    """Follows agents while `run` runs; `configured` are those of the settings. Others
    may be added at private addresses only if `private_agents`.

    Raises ConfigError when what is kept in `data_dir` cannot be used.
    """

    def __init__(
        self,
        feed: Feed,
        configured: Mapping[str, AgentSettings],
        data_dir: Path,
        collect: Callable[[str, AgentSettings, Feed], Collector] = Collector,
        *,
        private_agents: bool = True,
    ) -> None:
        self._feed = feed
        self._configured = configured
        self._data_dir = data_dir
        self._collect = collect
        self._public_only = not private_agents
        self._changes = roster_file.read(data_dir).beside(configured)
        self._followed: dict[str, _Following] = {}
        self._last: dict[str, _Following] = {}  # By name, those that end included.
        self._group: TaskGroup
        self._changing = anyio.Lock()

    async def run(
        self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        async with anyio.create_task_group() as self._group:
            for name, settings in self._applied().items():
                self._start(name, settings)
            # What the log has last of each says nothing of their order.
            self._feed.board.put_first(self._followed)
            for row in list(self._feed.board.agents.values()):
                if row.agent == HOST_NAME:
                    continue  # The orchestrator's own.
                if row.agent not in self._followed and row.connection != "removed":
                    # Taken out of the settings while the host was down.
                    self._start(row.agent, AgentSettings(url=row.url))
                    self._end(row.agent)
            task_status.started()
            await anyio.sleep_forever()

    def names(self) -> list[str]:
        return list(self._followed)

    def collector(self, name: str) -> Collector:
        """Raises UnknownAgent."""
        return self._following(name).collector

    def collectors(self) -> list[Collector]:
        return [following.collector for following in self._followed.values()]

    def row(self, name: str) -> AgentEvent:
        """The agent's row as the feed has it, or will have it in a moment.

        Raises UnknownAgent.
        """
        settings = self._following(name).settings
        row = self._feed.board.agents.get(name)
        if row and row.url == settings.url and row.connection != "removed":
            return row
        return AgentEvent(
            agent=name, url=settings.url, connection="connecting", received_at=now()
        )

    async def add(self, name: str | None, settings: AgentSettings) -> str:
        """Follows one more, over restarts too; its name, made of the URL if None.

        Raises ConfigError for a bad name or place, AgentExists, and NotKept.
        """
        if self._public_only:
            checked("url", check_public, settings.url)
        async with self._changing:
            for other, following in self._followed.items():
                if following.settings.url == settings.url:
                    raise AgentExists(f"{settings.url} is followed already, as {other}")
            if name is None:
                name = self._name_for(settings.url)
            elif checked(f"name {name[:40]!r}", check_name, name) in self._followed:
                raise AgentExists(
                    f"an agent {name!r} is followed already, at "
                    f"{self._followed[name].settings.url}: choose another name"
                )
            added = Added(settings.url, settings.card)
            await self._keep(self._changes.with_added(name, added, self._configured))
            self._start(name, self._applied()[name])
        return name

    def _name_for(self, url: str) -> str:
        """The one it had before, so that its history goes on; else a new one."""
        rows = self._feed.board.agents
        before = {row.url: name for name, row in rows.items() if name != HOST_NAME}
        before |= {settings.url: name for name, settings in self._configured.items()}
        name = before.get(url)
        if name and name not in self._followed:
            return name
        return suggest_name(url, {*rows, *self._configured, *self._followed})

    async def remove(self, name: str) -> None:
        """Ends the following at once. What the feed has of the agent stays.

        Its last word is in the feed on return, if the log can be written. Raises
        UnknownAgent and NotKept.
        """
        async with self._changing:
            following = self._following(name)
            await self._keep(self._changes.with_removed(name, self._configured))
            self._end(name)
        with anyio.move_on_after(LAST_WORD_S):
            await following.ended.wait()

    def retry(self, name: str) -> None:
        """Tries a lost agent at once. Raises UnknownAgent."""
        self.collector(name).retry_now()

    async def reload(self, configured: Mapping[str, AgentSettings]) -> Reloaded:
        """Takes other settings; an agent whose own did not change notices nothing.

        Raises NotKept.
        """
        async with self._changing:
            await self._keep(self._changes.beside(configured))
            self._configured = configured
            wanted = self._applied()
            before = {name: one.settings for name, one in self._followed.items()}
            difference = Reloaded(
                added=[name for name in wanted if name not in before],
                removed=[name for name in before if name not in wanted],
                changed=[n for n in wanted if before.get(n, wanted[n]) != wanted[n]],
            )
            for name in difference.removed:
                self._end(name)
            for name in difference.changed + difference.added:
                self._start(name, wanted[name])
        return difference

    def _applied(self) -> dict[str, AgentSettings]:
        return self._changes.applied(self._configured, public_only=self._public_only)

    async def _keep(self, changed: Changes) -> None:
        """First on the disk: what is said to be done must outlast a crash."""
        if changed != self._changes:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(
                    roster_file.write, self._data_dir, changed
                )
        self._changes = changed

    def _following(self, name: str) -> _Following:
        try:
            return self._followed[name]
        except KeyError:
            known = ", ".join(self._followed) or "none"
            raise UnknownAgent(
                f"no agent {name!r} is followed here; there are: {known}"
            ) from None

    def _start(self, name: str, settings: AgentSettings) -> None:
        logger.info(Line(agent=name, roster="followed", url=settings.url))
        collector = self._collect(name, settings, self._feed)
        before = self._last.get(name)
        if before:
            before.end()
        following = _Following(settings, collector)
        self._followed[name] = self._last[name] = following
        self._group.start_soon(self._follow, name, following, before)

    def _end(self, name: str) -> None:
        logger.info(Line(agent=name, roster="removed"))
        self._followed.pop(name).end(removed=True)

    async def _follow(
        self, name: str, following: _Following, before: _Following | None
    ) -> None:
        # Two that number the same agent's events would hide each other's.
        if before:
            await before.ended.wait()
        await following.run()
        if self._last[name] is following:
            del self._last[name]


class _Following:
    """One agent's collector, until it is told to end."""

    def __init__(self, settings: AgentSettings, collector: Collector) -> None:
        self.settings = settings
        self.collector = collector
        self.ended = anyio.Event()
        self._scope = anyio.CancelScope()
        self._removed = False

    def end(self, *, removed: bool = False) -> None:
        self._removed |= removed
        self._scope.cancel()

    async def run(self) -> None:
        with self._scope:
            # Else it would begin, up to its first wait.
            if not self._scope.cancel_called:
                await self.collector.run()
        if self._removed:
            await self.collector.announce_removed()
        self.ended.set()
