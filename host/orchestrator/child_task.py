"""Finds, follows and cancels the child task of a step."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from typing import Any

import anyio
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import A2AError
from google.protobuf.json_format import ParseDict

from ..errors import AgentUnreachable, CursorExpired
from ..feed.feed import Feed
from ..feed.local_reader import watch
from ..following.collector import Collector
from ..model.event import TaskEvent, decode
from ..model.filter import Filter
from ..observability.logfmt import Line
from .agents import POLL_S, AttemptFailed

logger = logging.getLogger("courtside.orchestrator")

FIND_TIMEOUT_S = 3.0  # Discovery lists an agent's tasks four times a second.
CANCEL_TIMEOUT_S = 5.0

Json = dict[str, Any]


def build_request(message: Json) -> pb.SendMessageRequest:
    """Build the request to send a message. Empty fields are left out."""
    fields = {name: value for name, value in message.items() if value}
    return ParseDict({"message": fields}, pb.SendMessageRequest())


async def find_child(
    collector: Collector,
    feed: Feed,
    context_id: str,
    message_id: str,
    others: Collection[str],
) -> str | None:
    """Find the task of a message whose response was lost when the host was killed.

    `others` are tasks of the context that it cannot be. Raises AttemptFailed if the
    agent has no ListTasks, so that the host cannot know.
    """
    checked = {*others}
    with anyio.move_on_after(FIND_TIMEOUT_S):
        while True:
            for row in list(feed.board.tasks()):
                is_ours = (row.agent, row.context_id) == (collector.name, context_id)
                if is_ours and row.task_id not in checked:
                    checked.add(row.task_id)
                    if await _has_message(collector, row.task_id, message_id):
                        return row.task_id
            await anyio.sleep(POLL_S)
    if collector.connection.can_list:
        return None
    raise AttemptFailed(
        "the host was restarted, and cannot find out whether "
        f"{collector.name} received the message"
    )


async def _has_message(collector: Collector, task_id: str, message_id: str) -> bool:
    try:
        task = (await collector.connection.get_task(task_id)).response.task
    except (A2AError, AgentUnreachable):
        return False
    # Only the host uses this context, so a task without history counts too.
    return task is not None and (
        not task.history or message_id in {m.message_id for m in task.history}
    )


async def watch_rows(feed: Feed, agent: str, task_id: str) -> AsyncGenerator[TaskEvent]:
    """Yield the current row of a task, and then each new row, until the feed closes."""
    where = Filter(
        agent=frozenset([agent]), task=frozenset([task_id]), kind=frozenset(["task"])
    )
    while True:
        after, row = feed.head, feed.board.task(agent, task_id)
        if row:
            yield row
        try:
            async with aclosing(watch(feed, where, after)) as rows:
                async for found in rows:
                    event = decode(found.body)
                    if isinstance(event, TaskEvent):
                        yield event
        except CursorExpired:
            continue
        return


async def cancel_child(collector: Collector, task_id: str) -> str | None:
    """Cancel a task. Return why it could not be cancelled, if so."""
    why: str | None = f"no answer within {CANCEL_TIMEOUT_S:g} s"
    with anyio.move_on_after(CANCEL_TIMEOUT_S):
        try:
            await collector.cancel(task_id)
            why = None
        except (A2AError, AgentUnreachable) as error:
            why = str(error)
    if why:
        task = f"{collector.name}/{task_id}"
        logger.info(Line(task=task, cancel="failed", cause=why))
    return why
