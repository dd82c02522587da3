"""Remembers the tasks that were found in a list, until they are in the log.

They outlast a connection: a task that is found, but not recorded when the connection
breaks, is followed again after it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from ..protocol.a2a_objects import ListedTask

MAX_FOUND = 5_000  # Remembered at once. The lists have the others.
HOLD_S = 600.0  # Then the mark goes on without the task.
# The pauses between the tries to follow a task that leaves no trace in the feed.
RETRY_S = (0.5, 2.0, 8.0)


@dataclass
class _Found:
    task: ListedTask
    at_s: float
    tries: int = 0
    retry_at_s: float = 0.0


class FoundTasks:
    def __init__(self) -> None:
        self._by_id: dict[str, _Found] = {}

    def __iter__(self) -> Iterator[ListedTask]:
        return iter([found.task for found in self._by_id.values()])

    def drop(self, task_id: str) -> None:
        self._by_id.pop(task_id, None)

    def note(self, task: ListedTask) -> bool:
        """Remember a task. Return whether to try now to follow it."""
        found = self._by_id.get(task.task_id)
        if found:
            found.task = task
            return time.monotonic() >= found.retry_at_s
        if len(self._by_id) < MAX_FOUND:
            self._by_id[task.task_id] = _Found(task, time.monotonic())
        return True

    def holds(self, task: ListedTask) -> bool:
        """Return whether the mark must wait until the task is in the log."""
        found = self._by_id.get(task.task_id)
        return found is None or time.monotonic() - found.at_s < HOLD_S

    def is_hopeless(self, task_id: str) -> bool:
        """Return whether the task was followed again and again, without a trace."""
        found = self._by_id.get(task_id)
        return found is not None and found.tries > len(RETRY_S)

    def note_try(self, task_id: str) -> int:
        """Take note that a follower was started for the task. Return how often."""
        found = self._by_id.get(task_id)
        if found is None:
            return 1
        pause_s = RETRY_S[min(found.tries, len(RETRY_S) - 1)]
        found.tries += 1
        found.retry_at_s = time.monotonic() + pause_s
        return found.tries

    def forgive(self) -> None:
        """Forget the tries: they may have failed because the connection broke."""
        for found in self._by_id.values():
            found.tries, found.retry_at_s = 0, 0.0
