"""Reads what the stream responses of one task mean for the merging of its streams."""

from __future__ import annotations

from ..protocol.a2a_objects import (
    ArtifactUpdate,
    Message,
    StreamResponse,
    Task,
)
from ..protocol.task_status import is_terminal


def has_number(response: StreamResponse) -> bool:
    """Return whether the update has a number of the resumable-stream extension."""
    return response.update is not None and response.update.sequence is not None


def is_end(response: StreamResponse) -> bool:
    """Return whether the response has a terminal state."""
    update = response.update
    if update is None or isinstance(update, ArtifactUpdate):
        return False
    return is_terminal(update.status.state)


def is_interim(response: StreamResponse) -> bool:
    """Return whether the response has a chunk, or a state that is not terminal."""
    if update := response.status_update:
        return not is_terminal(update.status.state)
    return response.artifact_update is not None


def history_before(response: StreamResponse, task: Task) -> list[Message]:
    """Return the messages of the Task before that of a live update."""
    status = response.status_update
    message = status.status.message if status else response.message
    ids = [one.message_id for one in task.history]
    if message and message.message_id in ids:
        return task.history[: ids.index(message.message_id)]
    return task.history
