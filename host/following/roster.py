"""Follows a changing set of agents: starts and stops a collector for each.

The agents are those in the settings, with the changes that were made at run time.
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
from .roster_file import AddedAgent, RosterChanges, check

logger = logging.getLogger("courtside.roster")

REMOVED_EVENT_S = 1.0


class AgentExists(CourtsideError):
    """The host already follows an agent with this name or URL."""

    status, reason = 409, "AGENT_EXISTS"


class Reloaded(NamedTuple):
    """The names of the agents that a reload changed."""

    added: list[str]
    removed: list[str]
    changed: list[str]


class Roster:
    """Follows the `configured` agents, and those added later, while `run` runs.

    Agents at private addresses can be added only if `private_agents` is set. Raises
    ConfigError when the stored changes in `data_dir` are unusable.
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
        self._changes = roster_file.read(data_dir).drop_outdated(configured)
        self._entries: dict[str, _Entry] = {}
        self._latest: dict[str, _Entry] = {}  # Stopping ones included.
        self._group: TaskGroup
        self._lock = anyio.Lock()

    async def run(
        self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        async with anyio.create_task_group() as self._group:
            for name, settings in self._apply_changes().items():
                self._start(name, settings)
            # The order of the agents is not in the log.
            self._feed.board.put_first(self._entries)
            self._announce_removed()
            task_status.started()
            await anyio.sleep_forever()

    def names(self) -> list[str]:
        return list(self._entries)

    def collector(self, name: str) -> Collector:
        """Raises UnknownAgent."""
        return self._entry(name).collector

    def collectors(self) -> list[Collector]:
        return [entry.collector for entry in self._entries.values()]

    def row(self, name: str) -> AgentEvent:
        """Return the agent's row, also if the feed does not have it yet.

        Raises UnknownAgent.
        """
        settings = self._entry(name).settings
        row = self._feed.board.agents.get(name)
        if row and row.url == settings.url and row.connection != "removed":
            return row
        return AgentEvent(
            agent=name, url=settings.url, connection="connecting", received_at=now()
        )

    def rows(self) -> list[AgentEvent]:
        """Return the row of each agent: also new ones, and no removed ones."""
        return [self.row(name) for name in self._entries]

    async def add(self, name: str | None, settings: AgentSettings) -> str:
        """Follow one more agent, also after restarts. Return its name.

        Without a name, it gets one from its URL. Raises ConfigError for an unusable
        name or URL, AgentExists, and RosterNotSaved.
        """
        if self._public_only:
            check("url", check_public, settings.url)
        async with self._lock:
            for other, entry in self._entries.items():
                if entry.settings.url == settings.url:
                    raise AgentExists(f"{settings.url} is already followed, as {other}")
            if name is None:
                name = self._choose_name(settings.url)
            elif check(f"name {name[:40]!r}", check_name, name) in self._entries:
                raise AgentExists(
                    f"an agent {name!r} is already followed, at "
                    f"{self._entries[name].settings.url}: choose another name"
                )
            changes = self._changes.add(name, AddedAgent.of(settings), self._configured)
            await self._save(changes)
            self._start(name, self._apply_changes()[name])
        return name

    async def remove(self, name: str) -> None:
        """Stop following the agent. Its events stay in the feed.

        Its last event is in the feed on return, unless the log is slow. Raises
        UnknownAgent and RosterNotSaved.
        """
        async with self._lock:
            entry = self._entry(name)
            await self._save(self._changes.remove(name, self._configured))
            self._stop(name)
        with anyio.move_on_after(REMOVED_EVENT_S):
            await entry.stopped.wait()

    def retry(self, name: str) -> None:
        """Retry a lost agent at once. Raises UnknownAgent."""
        self.collector(name).retry_now()

    async def reload(self, configured: Mapping[str, AgentSettings]) -> Reloaded:
        """Apply new settings. Agents with unchanged settings are not interrupted.

        Raises RosterNotSaved.
        """
        async with self._lock:
            await self._save(self._changes.drop_outdated(configured))
            self._configured = configured
            after = self._apply_changes()
            before = {name: entry.settings for name, entry in self._entries.items()}
            difference = Reloaded(
                added=[name for name in after if name not in before],
                removed=[name for name in before if name not in after],
                changed=[n for n in after if before.get(n, after[n]) != after[n]],
            )
            for name in difference.removed:
                self._stop(name)
            for name in difference.changed + difference.added:
                self._start(name, after[name])
        return difference

    def _announce_removed(self) -> None:
        """Report agents that left the settings while the host was down."""
        for row in list(self._feed.board.agents.values()):
            # The host's own agent, the orchestrator, is in no settings.
            is_gone = row.agent != HOST_NAME and row.agent not in self._entries
            if is_gone and row.connection != "removed":
                self._start(row.agent, AgentSettings(url=row.url))
                self._stop(row.agent)

    def _choose_name(self, url: str) -> str:
        """Return the name that the URL had before, so that its history continues."""
        rows = self._feed.board.agents
        names = {row.url: name for name, row in rows.items() if name != HOST_NAME}
        names |= {settings.url: name for name, settings in self._configured.items()}
        name = names.get(url)
        if name and name not in self._entries:
            return name
        return suggest_name(url, {*rows, *self._configured, *self._entries})

    def _apply_changes(self) -> dict[str, AgentSettings]:
        return self._changes.apply(self._configured, public_only=self._public_only)

    async def _save(self, changes: RosterChanges) -> None:
        """Save before the change is made: a confirmed change must survive a crash."""
        if changes != self._changes:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(
                    roster_file.write, self._data_dir, changes
                )
        self._changes = changes

    def _entry(self, name: str) -> _Entry:
        try:
            return self._entries[name]
        except KeyError:
            names = ", ".join(self._entries) or "none"
            raise UnknownAgent(
                f"no agent {name!r} is followed here; there are: {names}"
            ) from None

    def _start(self, name: str, settings: AgentSettings) -> None:
        logger.info(Line(agent=name, roster="followed", url=settings.url))
        before = self._latest.get(name)
        if before:
            before.stop()
        entry = _Entry(settings, self._collect(name, settings, self._feed))
        self._entries[name] = self._latest[name] = entry
        self._group.start_soon(self._run, name, entry, before)

    def _stop(self, name: str) -> None:
        logger.info(Line(agent=name, roster="removed"))
        self._entries.pop(name).stop(removed=True)

    async def _run(self, name: str, entry: _Entry, before: _Entry | None) -> None:
        # Two collectors at once would give the same numbers to different events.
        if before:
            await before.stopped.wait()
        await entry.run()
        if self._latest[name] is entry:
            del self._latest[name]


class _Entry:
    """One agent of the roster: its settings, and its collector until it is stopped."""

    def __init__(self, settings: AgentSettings, collector: Collector) -> None:
        self.settings = settings
        self.collector = collector
        self.stopped = anyio.Event()
        self._scope = anyio.CancelScope()
        self._is_removed = False

    def stop(self, *, removed: bool = False) -> None:
        self._is_removed |= removed
        self._scope.cancel()

    async def run(self) -> None:
        with self._scope:
            # In a cancelled scope, `run` would still start, up to its first wait.
            if not self._scope.cancel_called:
                await self.collector.run()
        if self._is_removed:
            await self.collector.announce_removed()
        self.stopped.set()
