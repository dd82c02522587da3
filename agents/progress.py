"""Owns the task-progress extension, draft v1 (A2A pull request #1448).

performance.py puts its metadata into updates, card.py its declaration on the card.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from a2a.types.a2a_pb2 import AgentExtension, Task

URI = "https://a2a-protocol.org/extensions/task-progress/v1"
# The draft's schema refuses longer messages and more trackers.
MAX_MESSAGE_CHARS = 512
MAX_TRACKERS = 100

Status = Literal["running", "completed", "failed"]


@dataclass(frozen=True)
class Tracker:
    """How far one strand of the work is: `percent` is 0-100."""

    id: str
    percent: int = 0
    message: str = ""
    status: Status = "running"

    def as_json(self) -> dict[str, Any]:
        row: dict[str, Any] = {"id": self.id, "progress": self.percent, "total": 100}
        if self.message:
            row["message"] = self.message[:MAX_MESSAGE_CHARS]
        row["status"] = self.status
        return row


def extension() -> AgentExtension:
    """How the card says that progress travels in metadata."""
    return AgentExtension(
        uri=URI,
        description="Progress of each task, 0-100, in the metadata of its updates.",
        params={"maxTrackers": MAX_TRACKERS, "maxMessageChars": MAX_MESSAGE_CHARS},
    )


def metadata(percent: int, trackers: Iterable[Tracker]) -> dict[str, Any]:
    """The metadata of one update: every tracker, and `percent` as the aggregate."""
    rows = [tracker.as_json() for tracker in trackers]
    return {URI: {"trackers": rows, "aggregate": {"progress": percent, "total": 100}}}


def percent_in(task: Task) -> int | None:
    """The percentage in a task's metadata, where the SDK gathers that of its updates.

    None for a task that never told its progress.
    """
    if URI not in task.metadata:
        return None
    told = task.metadata.fields[URI].struct_value.fields["aggregate"]
    return int(told.struct_value.fields["progress"].number_value)
