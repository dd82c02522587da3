"""Owns the settings file while the host runs: when it changed, its agents are taken.

What it reads goes to the roster; what is wrong with it to the log and /healthz.
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

LOOK_S = 0.5
Signature = tuple[int, int, int] | None


class Reloader:
    """Looks at `file` while `run` runs; `reread` gives the agents that it names.

    Only the agents: other settings are read at the start. `trouble` is what is
    wrong with the file as it is now; meanwhile the agents stay as they were.
    """

    def __init__(
        self,
        roster: Roster,
        file: Path | None,
        reread: Callable[[], Mapping[str, AgentSettings]],
    ) -> None:
        self.trouble: str | None = None
        self._roster = roster
        self._file = file
        self._reread = reread
        self._taken = self._signature()

    async def run(self) -> None:
        seen = self._taken
        while True:
            await anyio.sleep(LOOK_S)
            last, seen = seen, await anyio.to_thread.run_sync(self._signature)
            # Twice the same: an editor that has begun to write may not be done.
            if seen == last != self._taken:
                try:
                    await self.reload()
                except CourtsideError as error:
                    logger.error(Line(config="refused", cause=error))

    async def reload(self) -> Reloaded:
        """Reads the file now. Raises ConfigError and NotKept, and changes nothing."""
        before = self._taken
        self._taken = await anyio.to_thread.run_sync(self._signature)
        try:
            if before and not self._taken:
                raise ConfigError(
                    f"{self._file}: is gone; the agents stay as they were"
                )
            agents = await anyio.to_thread.run_sync(self._reread)
            difference = await self._roster.reload(agents)
        except CourtsideError as error:
            self.trouble = str(error)
            raise
        self.trouble = None
        changes = {key: ",".join(names) for key, names in difference._asdict().items()}
        logger.info(Line(config="reloaded", **changes))
        return difference

    def _signature(self) -> Signature:
        """What changes when the file does; None when it is not there."""
        try:
            found = self._file.stat() if self._file else None
        except OSError:
            found = None
        return found and (found.st_mtime_ns, found.st_size, found.st_ino)
