"""Owns the task-progress extension, draft v1 (A2A pull request #1448).

executor.py puts its metadata into updates, serve.py its declaration on the card.
"""

from typing import Any, Literal

from a2a.types.a2a_pb2 import AgentExtension, Task

URI = "https://a2a-protocol.org/extensions/task-progress/v1"
# The draft's schema refuses longer messages.
MAX_MESSAGE_CHARS = 512


def extension() -> AgentExtension:
    """How the card says that progress travels in metadata."""
    return AgentExtension(
        uri=URI,
        description="Progress of each task, 0-100, in the metadata of its updates.",
        params={"maxTrackers": 1, "maxMessageChars": MAX_MESSAGE_CHARS},
    )


def metadata(
    tracker: str,
    percent: int,
    message: str,
    status: Literal["running", "completed", "failed"],
) -> dict[str, Any]:
    """The metadata of one update: one tracker, and the same as the aggregate."""
    row: dict[str, Any] = {"id": tracker, "progress": percent, "total": 100}
    if message:
        row["message"] = message[:MAX_MESSAGE_CHARS]
    row["status"] = status
    return {URI: {"trackers": [row], "aggregate": {"progress": percent, "total": 100}}}


def percent_in(task: Task) -> int | None:
    """The percentage in a task's metadata, where the SDK gathers that of its updates.

    None for a task that never told its progress.
    """
    metadata: dict[str, Any] = dict(task.metadata)
    return int(metadata[URI]["aggregate"]["progress"]) if URI in metadata else None
