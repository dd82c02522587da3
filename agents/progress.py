"""Implements the task-progress extension, draft v1 (A2A pull request #1448).

publisher.py adds its metadata to updates. card.py declares it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from a2a.types.a2a_pb2 import AgentExtension, Task

URI = "https://a2a-protocol.org/extensions/task-progress/v1"
# The limits of the draft's schema.
MAX_MESSAGE_CHARS = 512
MAX_TRACKERS = 100

Status = Literal["running", "completed", "failed"]


@dataclass(frozen=True)
class Tracker:
    """The progress of one branch. `percent` is 0-100."""

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


def build_extension() -> AgentExtension:
    """Return the declaration for the card."""
    return AgentExtension(
        uri=URI,
        description="Progress of each task, 0-100, in the metadata of its updates.",
        params={"maxTrackers": MAX_TRACKERS, "maxMessageChars": MAX_MESSAGE_CHARS},
    )


def build_metadata(percent: int, trackers: Iterable[Tracker]) -> dict[str, Any]:
    """Return the metadata of one update. `percent` is that of the task."""
    rows = [tracker.as_json() for tracker in trackers]
    return {URI: {"trackers": rows, "aggregate": {"progress": percent, "total": 100}}}


def read_percent(task: Task) -> int | None:
    """Return the task's percentage, or None if no update had one."""
    if URI not in task.metadata:
        return None
    aggregate = task.metadata.fields[URI].struct_value.fields["aggregate"]
    return int(aggregate.struct_value.fields["progress"].number_value)
