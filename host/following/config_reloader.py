"""Reloads the agents when courtside.toml changes, and gives them to the roster.

Only the agents are read again. The host reads all other settings when it starts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import anyio

from ..config.agent_settings import AgentSettings
from ..errors import ConfigError, CourtsideError
from ..observability.logfmt import Line
from .roster import Reloaded, Roster

logger = logging.getLogger("courtside.reloader")

CHECK_S = 0.5
Signature = tuple[int, int, int] | None


class ConfigReloader:
    """Watches `file` while `run` runs. `read_agents` returns the agents in it.

    `trouble` says why the current file cannot be used. Until somebody corrects it, the
    agents do not change.
    """

    def __init__(
        self,
        roster: Roster,
        file: Path | None,
        read_agents: Callable[[], Mapping[str, AgentSettings]],
    ) -> None:
        self.trouble: str | None = None
        self._roster = roster
        self._file = file
        self._read_agents = read_agents
        self._loaded = self._signature()

    async def run(self) -> None:
        current = self._loaded
        while True:
            await anyio.sleep(CHECK_S)
            last, current = current, await anyio.to_thread.run_sync(self._signature)
            # Wait for the same signature twice: an editor may still be writing.
            if current == last != self._loaded:
                try:
                    await self.reload()
                except CourtsideError as error:
                    logger.error(Line(config="refused", cause=error))

    async def reload(self) -> Reloaded:
        """Read the file now. On ConfigError or RosterNotSaved nothing changes."""
        before = self._loaded
        self._loaded = await anyio.to_thread.run_sync(self._signature)
        try:
            if before and not self._loaded:
                raise ConfigError(
                    f"{self._file} no longer exists; the agents stay as they were"
                )
            agents = await anyio.to_thread.run_sync(self._read_agents)
            difference = await self._roster.reload(agents)
        except CourtsideError as error:
            self.trouble = str(error)
            raise
        self.trouble = None
        changes = {key: ",".join(names) for key, names in difference._asdict().items()}
        logger.info(Line(config="reloaded", **changes))
        return difference

    def _signature(self) -> Signature:
        """Return values that change with the file, or None if it does not exist."""
        try:
            stat = self._file.stat() if self._file else None
        except OSError:
            stat = None
        return stat and (stat.st_mtime_ns, stat.st_size, stat.st_ino)
