"""Tells a task from an earlier one with the same id.

Some agents count their tasks from 1, and again after a restart.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace

from a2a.utils.errors import A2AError
from msgspec import structs

from ..clients.bindings.types import Batch, Update
from ..errors import AgentUnreachable
from ..model.event import TaskEvent
from ..model.timestamps import now
from ..protocol.a2a_objects import (
    ArtifactUpdate,
    ListedTask,
    Task,
    TaskUpdate,
    join_text,
)
from ..protocol.event_builders import is_before, status_time
from ..protocol.gaps import covers_content
from ..protocol.task_record import TaskRecord
from ..protocol.task_status import is_terminal
from ..protocol.translate import translate

REUSED = "the agent gave the id of this task to another task, which begins here"
LOST = "the agent gave the id of this task to another task"


def may_be_other_task(row: TaskEvent, task: ListedTask) -> bool:
    """Return whether to read a listed task because the feed has its end already."""
    if task.timestamp is None:
        return not is_terminal(task.state)
    return row.at is None or row.at < task.timestamp


def is_other_task(record: TaskRecord, task: TaskUpdate | None) -> bool:
    """Return whether a Task, or the first update of a response, is of another task than
    the one in the feed.

    It has another context, or it goes on after its end, or it lacks what the feed has.
    """
    row = record.row
    if row is None or task is None or isinstance(task, ArtifactUpdate):
        return False
    at, last_at = status_time(task.status), record.last_at
    if is_before(at, last_at):
        return False
    if task.context_id and row.context_id and task.context_id != row.context_id:
        return True
    if not record.has_ended or not is_before(last_at, at):
        return False
    if not is_terminal(task.status.state):
        return True
    return isinstance(task, Task) and _lacks_content(task, record, row)


def _lacks_content(task: Task, record: TaskRecord, row: TaskEvent) -> bool:
    """Return whether the feed has a message or artifacts that the Task does not have.

    Message ids do not count: some agents give a message a new id when they store it.
    """
    messages = [*task.history, *filter(None, [task.status.message])]
    last = record.message
    if last and not any(last.equals(join_text(one.parts)) for one in messages):
        return True
    nameless = replace(record, row=structs.replace(row, message_id=None))
    return not covers_content(task, nameless)


async def read_first(
    record: TaskRecord,
    response: AsyncGenerator[Batch] | None,
    read_task: Callable[[], Awaitable[Update]],
) -> tuple[bool, AsyncGenerator[Batch] | None]:
    """Return whether the agent gave the id of a finished task to another one.

    The first update of the response shows it, or else the Task. Also returns the whole
    response.
    """
    if response is None:
        return await _is_other_task_twice(record, read_task), None
    first = await anext(response, Batch([]))
    update = first.updates[0].response.update if first.updates else None
    return is_other_task(record, update), _chain(first, response)


async def _is_other_task_twice(
    record: TaskRecord, read_task: Callable[[], Awaitable[Update]]
) -> bool:
    """Return whether each of two Tasks is another one than that in the feed.

    Some agents change a finished task with each read, or read it from replicas that
    differ.
    """
    try:
        first = (await read_task()).response
        if not is_other_task(record, first.task):
            return False
        second = (await read_task()).response.task
    except (AgentUnreachable, A2AError):
        return False
    other = TaskRecord(record.agent, record.task_id)
    other.add(translate(other, first, now()))
    return is_other_task(record, second) and not is_other_task(other, second)


async def _chain(first: Batch, rest: AsyncGenerator[Batch]) -> AsyncGenerator[Batch]:
    yield first
    async for batch in rest:
        yield batch
