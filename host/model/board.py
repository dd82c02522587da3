"""The board: the current row of every agent and task, folded from the feed."""

from __future__ import annotations

from collections.abc import Iterable
from sys import getsizeof

import msgspec
from msgspec import UNSET, Struct

from .event import AgentEvent, Event, TaskEvent
from .shorten import shorten_row

# Enough for the page to show a day of work. The log has the rest.
MAX_FINISHED = 1_000
# For the rows of old logs and for long messages: new results are at most this long.
MAX_TEXT_BYTES = 64 * 1024
# Only the newest finished tasks, if their texts are long.
MAX_FINISHED_BYTES = 32 * 1024 * 1024
# After this, open tasks keep only the start of each text.
MAX_OPEN_BYTES = 16 * 1024 * 1024
SHORT_TEXT_BYTES = 1024
UNCOUNTED = SHORT_TEXT_BYTES // 4  # UTF-8 has at most 4 bytes per character.

TaskKey = tuple[str, str]


class Checkpoint(Struct, frozen=True):
    """A board as data. The log stores it, so that a start need not read all events."""

    agents: list[AgentEvent]
    tasks: list[TaskEvent]


class Board:
    """Rows by agent name and by (agent, task id). Finished tasks are in order of end.

    A removed agent keeps its row, so its history stays readable. Long texts are
    shortened: the log has the rows with their whole texts.
    """

    def __init__(self) -> None:
        self.agents: dict[str, AgentEvent] = {}
        self.open: dict[TaskKey, TaskEvent] = {}
        self.finished: dict[TaskKey, TaskEvent] = {}
        self._long: dict[TaskKey, int] = {}  # The memory of long texts.
        self._open_bytes = self._finished_bytes = 0

    def fold(self, event: Event) -> None:
        """Apply an event. Its row replaces the earlier one."""
        if isinstance(event, TaskEvent):
            self._fold_task(event)
        elif isinstance(event, AgentEvent):
            self.agents[event.agent] = event

    def put_first(self, names: Iterable[str]) -> None:
        """Move these agents to the front, in this order."""
        known = self.agents
        first = {name: known[name] for name in names if name in known}
        self.agents = first | known

    def _fold_task(self, row: TaskEvent) -> None:
        key = (row.agent, row.task_id)
        # This runs for every event. Most rows have short texts.
        if key in self._long or _is_long(row):
            row = self._shorten(key, row)
        if row.is_open:
            self.open[key] = row
            self.finished.pop(key, None)
            return
        self.open.pop(key, None)
        self.finished.pop(key, None)
        self.finished[key] = row
        while (
            len(self.finished) > MAX_FINISHED
            or self._finished_bytes > MAX_FINISHED_BYTES
        ):
            oldest = next(iter(self.finished))
            self._drop_size(oldest, self.finished.pop(oldest))

    def _shorten(self, key: TaskKey, row: TaskEvent) -> TaskEvent:
        """Return the row with short texts. Count them instead of those before."""
        if before := self.open.get(key) or self.finished.get(key):
            self._drop_size(key, before)
        is_full = row.is_open and self._open_bytes > MAX_OPEN_BYTES
        row = shorten_row(row, SHORT_TEXT_BYTES if is_full else MAX_TEXT_BYTES)
        if _is_long(row):
            size = self._long[key] = _count_memory(row)
            if row.is_open:
                self._open_bytes += size
            else:
                self._finished_bytes += size
        return row

    def _drop_size(self, key: TaskKey, row: TaskEvent) -> None:
        size = self._long.pop(key, 0)
        if row.is_open:
            self._open_bytes -= size
        else:
            self._finished_bytes -= size

    def task(self, agent: str, task_id: str) -> TaskEvent | None:
        key = (agent, task_id)
        return self.open.get(key) or self.finished.get(key)

    def open_tasks(self, agent: str | None = None) -> list[TaskEvent]:
        return [row for row in self.open.values() if agent in (None, row.agent)]

    def tasks(self) -> Iterable[TaskEvent]:
        yield from self.finished.values()
        yield from self.open.values()

    def checkpoint(self) -> bytes:
        """Encode the board as JSON, for `restore`."""
        return msgspec.json.encode(
            Checkpoint(agents=list(self.agents.values()), tasks=list(self.tasks()))
        )

    def restore(self, checkpoint: bytes) -> None:
        """Load the bytes of `checkpoint`. Raises msgspec.ValidationError."""
        saved = msgspec.json.decode(checkpoint, type=Checkpoint)
        for agent in saved.agents:
            self.fold(agent)
        for task in saved.tasks:
            self.fold(task)


def _count_memory(row: TaskEvent) -> int:
    # A character may take up to 4 bytes in memory.
    return getsizeof(row.message) + getsizeof(row.result)


def _is_long(row: TaskEvent) -> bool:
    """Return whether the texts of a row count."""
    message, result = row.message, row.result
    return (message is not None and len(message) > UNCOUNTED) or (
        result is not UNSET and len(result) > UNCOUNTED
    )
