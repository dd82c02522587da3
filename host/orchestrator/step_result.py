"""Reads the whole result of a step. The row of its task has only the start of a long
one."""

from __future__ import annotations

from msgspec import UNSET

from ..feed.feed import Feed
from ..model.event import Event, TaskEvent, decode
from ..model.filter import Filter
from ..model.shorten import count_bytes
from ..protocol.task_record import TaskRecord
from .agents import AttemptFailed

# The result goes into the messages to other agents.
MAX_RESULT_BYTES = 4 * 1024 * 1024


async def read_result(feed: Feed, row: TaskEvent) -> str:
    """Return the result of a completed task. Of a shortened one, its artifacts or its
    message have the whole.

    Raises AttemptFailed if it is too long.
    """
    result = "" if row.result is UNSET else row.result
    size = 0 if row.shortened is UNSET else row.shortened.get("result", 0)
    if not size:
        return result
    if size > MAX_RESULT_BYTES:
        why = (
            f"the result of {row.agent} has {size:,} bytes, and a plan takes at most "
            f"{MAX_RESULT_BYTES:,}: ask the agent for a shorter one"
        )
        raise AttemptFailed(why, is_final=True)
    record = TaskRecord(row.agent, row.task_id)
    one = frozenset([row.agent]), frozenset([row.task_id])
    where, cursor = Filter(*one, kind=frozenset(["artifact", "task"])), 0
    message = result
    while rows := await feed.readable(cursor, where):
        events = [decode(each.body) for each in rows]
        record.add(events)
        message = _find_message(events, size) or message
        cursor = rows[-1].id
    texts = [artifact.read_text(size) for artifact in record.artifacts.values()]
    return "\n\n".join(text for text in texts if text) or message


def _find_message(events: list[Event], size: int) -> str | None:
    """Return the message of `size` bytes that is the result of a task without text in
    its artifacts."""
    for event in events:
        text = event.message if isinstance(event, TaskEvent) else None
        if text and count_bytes(text) == size:
            return text
    return None
