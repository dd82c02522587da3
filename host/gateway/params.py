"""Reads parameters that several operations have. Raises InvalidParamsError."""

from __future__ import annotations

from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import InvalidParamsError, PushNotificationNotSupportedError


def parse_history_length(
    params: pb.SendMessageConfiguration | pb.GetTaskRequest | pb.ListTasksRequest,
) -> int | None:
    """Return how many messages of the history to send, None for all."""
    if not params.HasField("history_length"):
        return None
    if params.history_length < 0:
        raise InvalidParamsError(
            f"historyLength {params.history_length}: must be 0 or more"
        )
    return params.history_length


def parse_task_id(
    params: pb.GetTaskRequest | pb.CancelTaskRequest | pb.SubscribeToTaskRequest,
) -> str:
    if not params.id:
        raise InvalidParamsError("the request lacks the task's id")
    return params.id


def refuse_push() -> PushNotificationNotSupportedError:
    return PushNotificationNotSupportedError(
        "the host sends no push notifications: stream the task, or subscribe to it"
    )
