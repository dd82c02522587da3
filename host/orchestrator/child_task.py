"""Owns one attempt at a step: a message to an agent, and the child task it becomes.

A performer makes the attempts; what the child does is read from the feed.
"""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from typing import Any

import anyio
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import A2AError, TaskNotFoundError
from google.protobuf.json_format import ParseDict

from ..clients.bindings.types import Update
from ..errors import AgentUnreachable, CursorExpired
from ..feed.feed import Feed
from ..feed.watch import watch
from ..following.collector import Collector
from ..following.roster import Roster
from ..model.event import TaskEvent, decode
from ..model.filter import Filter
from ..observability.logfmt import Line

logger = logging.getLogger("courtside.orchestrator")

REACH_S = 15.0  # From the start of the host until an agent is connected, or lost.
LOOK_S = 3.0  # Until a task that an agent has is found: four times a second.
EVERY_S = 0.05
CANCEL_S = 5.0

Json = dict[str, Any]


class AttemptFailed(Exception):
    """It says why. `final`: nobody wants the step tried again."""

    def __init__(self, why: str, *, final: bool = False) -> None:
        super().__init__(why)
        self.final = final


class Patience:
    """The seconds that an attempt may take. Between `stop` and `go` they stand still:
    then a person is waited for."""

    def __init__(self, seconds: float) -> None:
        self._left_s = seconds
        self._since: float | None = None
        self.scope = anyio.CancelScope()

    def go(self) -> None:
        if self._since is None:
            self._since = anyio.current_time()
            self.scope.deadline = self._since + self._left_s

    def stop(self) -> None:
        if self._since is not None:
            self._left_s -= anyio.current_time() - self._since
            self._since = None
            self.scope.deadline = math.inf


def request_of(message: Json) -> pb.SendMessageRequest:
    """An A2A request from the JSON of its message, without what is empty."""
    said = {name: value for name, value in message.items() if value}
    return ParseDict({"message": said}, pb.SendMessageRequest())


def agent_with(skill: str, roster: Roster, feed: Feed) -> str:
    """The one agent that is followed and has this skill. Raises AttemptFailed."""
    rows = feed.board.agents
    names = [
        name
        for name in roster.names()
        if name in rows and any(s.id == skill for s in rows[name].skills)
    ]
    if len(names) == 1:
        return names[0]
    if names:
        raise AttemptFailed(
            f"{' and '.join(names)} have the skill {skill!r}: name one in the plan"
        )
    raise AttemptFailed(f"no agent that is followed has the skill {skill!r}")


async def reached(collector: Collector, feed: Feed, *, patient: bool) -> None:
    """Returns when the agent is connected. Waits where it is being connected, and,
    if `patient`, where it may be lost just because the host was."""

    def is_here() -> bool:
        try:
            _ = collector.connection
        except AgentUnreachable:
            return False
        return True

    with anyio.move_on_after(REACH_S):
        while not is_here():
            row = feed.board.agents.get(collector.name)
            if not patient and row and row.connection != "connecting":
                break
            await anyio.sleep(EVERY_S)
    _ = collector.connection


async def find_child(
    collector: Collector,
    feed: Feed,
    context_id: str,
    message_id: str,
    others: Collection[str],
) -> str | None:
    """The task that came of a message, where nobody saw the answer: the host died.

    Raises AttemptFailed where an agent without ListTasks cannot tell.
    """
    looked_at: set[str] = {*others}
    with anyio.move_on_after(LOOK_S):
        while True:
            for row in list(feed.board.tasks()):
                its = (row.agent, row.context_id) == (collector.name, context_id)
                if its and row.task_id not in looked_at:
                    looked_at.add(row.task_id)
                    if await _came_of(collector, row.task_id, message_id):
                        return row.task_id
            await anyio.sleep(EVERY_S)
    if collector.connection.can_list:
        return None
    raise AttemptFailed(
        f"the host was away, and {collector.name} cannot say whether it was asked"
    )


async def _came_of(collector: Collector, task_id: str, message_id: str) -> bool:
    try:
        update = await collector.connection.get_task(task_id)
    except (A2AError, AgentUnreachable):
        return False
    task = update.response.task
    # One that keeps no history has this context from nobody else.
    return task is not None and (
        not task.history or message_id in {m.message_id for m in task.history}
    )


async def is_known(collector: Collector, feed: Feed, task_id: str) -> bool:
    """Whether the feed has the task, or gets it from its agent."""
    if feed.board.task(collector.name, task_id):
        return True
    try:
        await collector.connection.get_task(task_id)
    except TaskNotFoundError:
        return False
    collector.follow(task_id)
    return True


async def rows_of(feed: Feed, agent: str, task_id: str) -> AsyncGenerator[TaskEvent]:
    """Where the task stands, then each change, without end."""
    where = Filter(
        agent=frozenset([agent]),
        task=frozenset([task_id]),
        kind=frozenset(["task"]),
    )
    while True:
        after, row = feed.head, feed.board.task(agent, task_id)
        if row:
            yield row
        try:
            async with aclosing(watch(feed, where, after)) as rows:
                async for told in rows:
                    event = decode(told.body)
                    if isinstance(event, TaskEvent):
                        yield event
        except CursorExpired:
            continue
        return


async def cancel(collector: Collector, task_id: str) -> str | None:
    """Cancels a child; why it could not be, if so."""
    why: str | None = f"no answer within {CANCEL_S:g} s"
    with anyio.move_on_after(CANCEL_S):
        try:
            await collector.cancel(task_id)
            why = None
        except (A2AError, AgentUnreachable) as error:
            why = str(error)
    if why:
        task = f"{collector.name}/{task_id}"
        logger.info(Line(task=task, cancel="failed", cause=why))
    return why


async def cancel_what_comes(collector: Collector, update: Update) -> None:
    """For a message whose answer nobody waits for any more."""
    if update.response.task_id:
        await cancel(collector, update.response.task_id)
