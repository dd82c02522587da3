"""Cancels a task of an agent, and finds out what the agent did.

Some agents answer CancelTask with null, an update or an error although they cancel the
task, and some cancel it later. Only the Task says what they did.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

import msgspec
from a2a.utils.errors import A2AError

from ..clients.bindings.types import Update
from ..clients.bindings.unreachable_errors import has_no_response, is_refusal
from ..clients.connection import Connection
from ..errors import AgentUnreachable
from ..model.event import TaskEvent
from ..protocol.a2a_objects import State, Status, StreamResponse, Task
from ..protocol.task_status import is_terminal


async def cancel_task(
    connection: Connection,
    task_id: str,
    *,
    read_task: Callable[[str], Awaitable[Update]],
    row: TaskEvent | None,
) -> Update:
    """Return the Task after the cancel: the agent's, or else the feed's by its `row`.

    Raises A2AError if the agent refuses, and AgentUnreachable if it may not have
    received the request.
    """
    failure: AgentUnreachable | A2AError | None = None
    try:
        update = await connection.cancel(task_id)
        if update and _has_ended(update):
            return update
    except (AgentUnreachable, A2AError) as error:
        if is_refusal(error):
            raise
        failure = error
    is_lost = isinstance(failure, AgentUnreachable) and has_no_response(failure)
    try:
        update = await read_task(task_id)
    except (AgentUnreachable, A2AError) as error:
        if is_lost or row is None:
            raise failure or error from None
        return _task_of(row)
    if failure and is_lost and not _has_ended(update):
        raise failure
    return update


def _has_ended(update: Update) -> bool:
    task = update.response.task
    return task is not None and is_terminal(task.status.state)


def _task_of(row: TaskEvent) -> Update:
    status = Status(cast("State", row.state), timestamp=row.at or row.received_at)
    task = Task(id=row.task_id, context_id=row.context_id or "", status=status)
    response = StreamResponse(task=task)
    return Update(response, msgspec.json.encode(response))
