"""Measures the time since a task's last news, and builds the events of a stalled task.

News is an event that an update or a Task of the agent adds to the feed. A gap, a Task
that repeats what the feed has, and the host's own notice are not news.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from msgspec import UNSET
from msgspec.structs import replace

from ..model.event import Event, GapEvent, NoticeEvent, TaskEvent
from ..model.timestamps import now, seconds_since
from ..protocol.task_record import TaskRecord

# Without news for so long, a task is no reason to poll its agent fast.
QUIET_S = 300.0
QUIET_WAITING_S = 60.0  # For a task that waits for a person.


class TaskNews:
    """The news of the task of `record`. Call `load` when the record is loaded.

    `after_quiet` is called for news of a quiet task.
    """

    def __init__(self, record: TaskRecord) -> None:
        self.after_quiet: Callable[[], None] | None = None
        self._record = record
        self._news_at = time.monotonic()

    @property
    def quiet_s(self) -> float:
        """Seconds since the last news."""
        return time.monotonic() - self._news_at

    @property
    def is_quiet(self) -> bool:
        """Whether the last news is so old that more need not be expected soon."""
        return self.quiet_s > self._limit_s

    @property
    def _limit_s(self) -> float:
        return QUIET_WAITING_S if self._record.needs_input else QUIET_S

    def load(self) -> None:
        """Continue from the last news of the record: the host may have been away."""
        if self._record.news_at:
            self._news_at = time.monotonic() - seconds_since(self._record.news_at)

    def take(self, events: Sequence[Event]) -> Sequence[Event]:
        """Note the news in the events of one update.

        A gap is the first of them. Returns the events. If the task was stalled, those
        that end this come first.
        """
        if not events or isinstance(events[-1], GapEvent):
            return events
        quiet_s = self.quiet_s
        if quiet_s > QUIET_WAITING_S and quiet_s > self._limit_s and self.after_quiet:
            self.after_quiet()
        self._news_at += quiet_s
        row = self._record.row
        if row is None or not row.is_stalled:
            return events
        text = f"an update came after {format_seconds(quiet_s)}"
        resumed: list[Event] = [_build_notice(row, "resumed", text)]
        if not any(isinstance(event, TaskEvent) for event in events):
            resumed.append(_mark(row, None))
        return [*resumed, *events]

    def build_stalled(self) -> list[Event]:
        """Build the events that mark the task as stalled. It must have a row."""
        row = self._record.row
        if row is None:
            return []
        text = f"no update for {format_seconds(self.quiet_s)}"
        since = self._record.news_at or row.received_at
        return [_build_notice(row, "stalled", text), _mark(row, since)]


def format_seconds(seconds: float) -> str:
    """Return `40 s`, `5 min`, `2 h` or `3 d`, rounded down."""
    for unit, unit_s in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= unit_s:
            return f"{int(seconds // unit_s)} {unit}"
    return f"{int(seconds)} s"


def _build_notice(row: TaskEvent, notice: str, message: str) -> NoticeEvent:
    return NoticeEvent(
        agent=row.agent,
        task_id=row.task_id,
        context_id=row.context_id,
        notice=notice,
        message=message,
        received_at=now(),
    )


def _mark(row: TaskEvent, stalled_since: str | None) -> TaskEvent:
    # Without `sequence`: the row may be older than the last numbered update.
    return replace(row, stalled_since=stalled_since, sequence=UNSET, received_at=now())
