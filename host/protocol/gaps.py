"""Decides when a gap event is written: updates of a task may be missing from the feed.

There are four reasons for a gap:
- Nobody read the task's updates for a while. The follower keeps such a gap pending
  until the next update: only a new update shows that there was something to miss.
- The numbers of the resumable-stream extension skip an update.
- The host dropped updates that were too many or unreadable.
- The agent no longer knows the task.
"""

from __future__ import annotations

from msgspec import UNSET, to_builtins

from ..model.event import GapEvent
from .a2a_objects import Task, TaskUpdate
from .event_builders import status_time
from .task_record import TaskRecord

STREAM_BROKE = "the stream broke: updates in between may be missing"
STREAM_ENDED = "the stream ended before the task: updates in between may be missing"
HOST_WAS_AWAY = "the host was away: updates in between may be missing"
AGENT_WAS_AWAY = "the agent was away: updates in between may be missing"
BOTH_WERE_AWAY = "the host and the agent were away: updates in between may be missing"
NOT_FOLLOWED = "the host did not follow the agent: updates in between may be missing"
RECONNECTED = "the host reconnected to the agent: updates in between may be missing"
STREAM_SILENT = "the stream was silent: updates before the end may be missing"
EQUAL_CHUNKS = "two streams had equal chunks: one of them may be missing"
FOUND_LATE = "the host found the task late: earlier updates may be missing"


class DroppedUpdates:
    """Counts the dropped updates of one task until a gap reports them."""

    def __init__(self, record: TaskRecord) -> None:
        self._record = record
        self._cause = ""
        self.count = 0

    def add(self, count: int, cause: str) -> None:
        self.count += count
        self._cause = cause

    def take_gap(self, received_at: str) -> list[GapEvent]:
        """Return the gap for the updates dropped since the last call, if it is needed.

        A task with numbered updates needs none: the numbers show what is missing.
        """
        count, self.count = self.count, 0
        if not count or self._record.sequence is not None:
            return []
        reason = f"{count} updates were dropped: {self._cause}"
        return [build_gap(self._record, reason, received_at, count)]


def gap_before(
    record: TaskRecord, update: TaskUpdate, received_at: str, pending: str | None
) -> GapEvent | None:
    """Return the gap that must stand before the events of `update`, if there is one.

    `pending` is the reason for a pending gap. If the update has a number, the number
    decides whether updates are missing.
    """
    reason, count = pending, None
    if update.sequence is not None:
        reason, count = _missing_numbers(record, update, update.sequence, pending)
    # Before the first event of a task only numbers show that updates are missing.
    if not reason or (record.is_empty and not count):
        return None
    return build_gap(record, reason, received_at, count)


def covers(task: Task, record: TaskRecord) -> bool:
    """Return whether `task` contains everything that the feed contains.

    A stale Task does not, so it cannot show which later updates are missing.
    """
    row, status = record.row, task.status
    if row is None:
        return not record.artifacts
    at = status_time(status)
    if at and row.at:
        is_stale = at < row.at
    else:
        is_earlier = status.state == "TASK_STATE_SUBMITTED" != row.state
        is_unaware = bool(row.message_id) and row.message_id not in task.message_ids
        is_stale = is_earlier or is_unaware
    if is_stale:
        return False
    return _has_artifacts(task, record)


def covers_content(task: Task, record: TaskRecord) -> bool:
    """Return whether `task` has the last message and the artifacts of the feed."""
    row = record.row
    if row and row.message_id and row.message_id not in task.message_ids:
        return False
    return _has_artifacts(task, record)


def _has_artifacts(task: Task, record: TaskRecord) -> bool:
    artifacts = {one.artifact_id: one for one in task.artifacts}
    return not record.has_all_artifacts_that_fit and all(
        artifact_id in artifacts
        and artifact.is_in(to_builtins(artifacts[artifact_id].parts))
        for artifact_id, artifact in record.artifacts.items()
    )


def gap_of_lost_task(record: TaskRecord, reason: str, received_at: str) -> GapEvent:
    """Return the gap for a task that its agent no longer knows."""
    lost = f"{reason}: its last updates may be missing"
    return build_gap(record, lost, received_at)


def build_gap(
    record: TaskRecord, reason: str, received_at: str, count: int | None = None
) -> GapEvent:
    """Build the gap event for up to `count` updates after the task's last event."""
    return GapEvent(
        agent=record.agent,
        task_id=record.task_id,
        context_id=record.row.context_id if record.row else None,
        message=reason,
        missing=UNSET if count is None else count,
        received_at=received_at,
    )


def _missing_numbers(
    record: TaskRecord, update: TaskUpdate, number: int, pending: str | None
) -> tuple[str | None, int | None]:
    """Return why updates are missing before `number`, and at most how many."""
    last = record.sequence
    if last is None:
        if isinstance(update, Task) or not record.is_empty:
            return pending, None  # The feed has updates without numbers.
        last = 0
    if number <= last:
        return f"{record.agent} lost count: update {number} came after {last}", None
    if number == last + 1:
        return None, None
    if number == last + 2:
        return f"update {last + 1} is missing", 1
    return f"updates {last + 1} to {number - 1} are missing", number - last - 1
