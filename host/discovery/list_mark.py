"""Keeps until when the tasks that an agent lists are all in the log.

All timestamps are the agent's.
"""

from __future__ import annotations

import time

from ..feed.feed import Feed
from ..model.timestamps import format_timestamp, subtract_seconds

OVERLAP_S = 2.0  # A task may get its timestamp a moment before it is listed.
AWAY_S = 60.0  # Timestamps on the board come from streams: they are ahead of the list.
# A task from the far future must not hide all that come before it.
MAX_AHEAD_S = 7 * 86_400.0


class ListMark:
    """Outlasts connections, and by the agent's row the host.

    `until`: the log has every task with an earlier timestamp, back to `horizon`. A task
    that ended before the horizon is history: the host met the agent later. Both are
    None before the first contact, and "" if there is no such time. `is_doubtful`:
    tasks with earlier timestamps may be missing all the same.
    """

    def __init__(self, agent: str, feed: Feed) -> None:
        self.until: str | None = None
        self.horizon: str | None = None
        self.is_doubtful = False
        self._moved_at = 0.0
        self._agent = agent
        self._feed = feed
        self._unconfirmed = ""

    @property
    def since(self) -> str | None:
        """The time from which on to list tasks."""
        return subtract_seconds(self.until, OVERLAP_S) if self.until else None

    def load(self) -> bool:
        """Continue where the host ended. Return False at the first contact."""
        row = self._feed.board.agents.get(self._agent)
        if row and isinstance(row.found_until, str):
            self.until = row.found_until
            self.horizon = row.found_from if isinstance(row.found_from, str) else ""
            return True
        return self._read_board()

    def _read_board(self) -> bool:
        """Continue as far as the board shows it: an older host wrote the log."""
        rows = [row for row in self._feed.board.tasks() if row.agent == self._agent]
        timestamps = sorted(row.at for row in rows if row.at)
        if not timestamps:
            return False
        still_open = [row.at for row in rows if row.at and row.is_open]
        earliest = min([*still_open, timestamps[-1]])
        self.until = subtract_seconds(earliest, AWAY_S)
        # A row has its task's last timestamp. Other tasks may have ended earlier,
        # and the feed does not have them.
        self.horizon = min(timestamps[0], self.until)
        self.is_doubtful = True
        return True

    def begin(self, horizon: str) -> None:
        """Start at the first contact. Earlier tasks are history."""
        self.until = self.horizon = horizon

    def is_history(self, timestamp: str | None) -> bool:
        """Return whether a task ended before the host first saw the agent."""
        return self.horizon is not None and (timestamp or "") < self.horizon

    def is_late(self, timestamp: str | None) -> bool:
        """Return whether a new task with this time should have been listed before.

        The agent's clock may have been set back.
        """
        return bool(timestamp and self.since and timestamp < self.since)

    def is_settled(self, newest: str) -> bool:
        """Return whether a list with this latest timestamp has nothing new.

        Not at once: a task may get its timestamp a moment before it is listed.
        """
        quiet_s = time.monotonic() - self._moved_at
        return newest == self.until and quiet_s > 2 * OVERLAP_S

    def advance(
        self, newest: str, oldest_missing: str | None, *, at_once: bool
    ) -> None:
        """Take note that a list since `since` was read to its end.

        `at_once`: in one page. Tasks can move while several pages are read, and be on
        none. So what one such reading shows must hold for the next one too.
        """
        proven = min(newest, oldest_missing or newest)
        proven = min(proven, format_timestamp(time.time() + MAX_AHEAD_S))
        confirmed = proven if at_once else min(proven, self._unconfirmed)
        self._unconfirmed = proven
        if confirmed > (self.until or ""):
            self.until, self._moved_at = confirmed, time.monotonic()

    def fall_back(self, newest: str) -> None:
        """Take note of the latest timestamp of all tasks.

        It is earlier than before if the agent lost its tasks and its clock went back.
        """
        if newest and self.until and newest < self.until:
            self.until, self._unconfirmed = newest, ""
