"""Runs a roster whose collectors only record what they are asked to do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.lowlevel

from host.config.agent_settings import AgentSettings
from host.feed.feed import Feed
from host.following.collector import Collector
from host.following.roster import Roster
from host.following.roster_file import FILE
from host.log.memory_log import MemoryLog
from host.model.event import AgentEvent
from tests.support.waiting import wait_until

CARLY = AgentSettings("http://127.0.0.1:8001")
WALTER = AgentSettings("http://127.0.0.1:8002")
TRAVEL = AgentSettings("https://agents.example.org/travel")


class FakeCollector:
    """Follows no agent. It needs a moment to end, as a real collector may."""

    def __init__(self, run: RosterRun, name: str, settings: AgentSettings) -> None:
        self._run, self.name, self.settings = run, name, settings

    async def run(self) -> None:
        self._record("runs")
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()
            self._record("ends")

    def retry_now(self) -> None:
        self._record("retries")

    async def announce_removed(self) -> None:
        await anyio.lowlevel.checkpoint()
        self._record("is removed")

    def _record(self, action: str) -> None:
        self._run.actions.append((self.name, action, self.settings.url))


class RosterRun:
    """A roster, its feed, and what its collectors did: name, action, URL."""

    def __init__(self, folder: Path, configured: Mapping[str, AgentSettings]) -> None:
        self.actions: list[tuple[str, str, str]] = []
        self.feed = Feed(MemoryLog())
        self.folder = folder
        self.roster = Roster(self.feed, configured, folder, self._collect)

    def _collect(self, name: str, settings: AgentSettings, _: Feed) -> Collector:
        return cast(Collector, FakeCollector(self, name, settings))

    def actions_of(self, name: str) -> list[str]:
        return [action for who, action, _ in self.actions if who == name]

    def settings_of(self, name: str) -> AgentSettings:
        return self.roster.collector(name).settings

    async def until(self, is_true: Callable[[], bool]) -> None:
        await wait_until(is_true, "the actions of the collectors", poll_s=0)

    async def until_actions(self, name: str, count: int) -> None:
        await self.until(lambda: len(self.actions_of(name)) >= count)

    def stored(self) -> Any:
        return json.loads((self.folder / FILE).read_text("utf-8"))


@asynccontextmanager
async def run_roster(
    folder: Path,
    configured: Mapping[str, AgentSettings],
    *,
    rows: Mapping[str, str] | None = None,
) -> AsyncIterator[RosterRun]:
    """Run a roster. `rows` maps names to URLs of agents that the feed already has."""
    run = RosterRun(folder, configured)
    for name, url in (rows or {}).items():
        row = AgentEvent(agent=name, url=url, connection="lost", received_at="")
        run.feed.board.fold(row)
    async with anyio.create_task_group() as group:
        await group.start(run.roster.run)
        yield run
        group.cancel_scope.cancel()
