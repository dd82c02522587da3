"""The A2A operations. Both bindings call them through the table at the end."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import (
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from google.protobuf.message import Message

from ..clients.answer import Answer
from ..clients.bindings.json_errors import UpdatesGone
from ..errors import AgentUnreachable
from ..feed.feed import Feed
from ..protocol.a2a_objects import StreamResponse, Task
from ..protocol.a2a_parser import parse_response
from ..protocol.task_status import is_terminal, status_of
from .a2a_updates import (
    SETTLED,
    Updates,
    build_unnumbered,
    limit_history,
    remove_number,
    take_until_settled,
)
from .backend import Backend
from .card import build_card
from .message_sender import MessageSender, SentMessage
from .params import (
    check_required_fields,
    parse_history_length,
    parse_task_id,
    refuse_push,
)
from .requests import parse_last_event_id
from .task_list import list_tasks
from .task_stream import TaskStream

FEED_TIMEOUT_S = 2.0  # An agent's answer is in the feed at once, unless it got lost.

Params = TypeVar("Params", bound=Message | None)


@dataclass(frozen=True)
class Call(Generic[Params]):
    """One call of an operation. `last_event_id` is the header, "" without one."""

    agent: str
    params: Params
    last_event_id: str = ""


class Operations:
    """Call `run` in a task group.

    An operation returns the JSON of its response, or yields updates. It raises
    AgentUnreachable, A2AError, and the errors of `find_agent`.
    """

    def __init__(self, feed: Feed, find_agent: Callable[[str], Backend]) -> None:
        self._feed = feed
        self._find_agent = find_agent
        self._sender = MessageSender(feed)

    async def run(self) -> None:
        await self._sender.run()

    def card(self, name: str, base_url: str, *, locked: bool) -> bytes:
        """Return the card of an agent; `base_url` is the host's."""
        url = f"{base_url}/a2a/{name}"
        return build_card(self._find_agent(name).card, url, locked=locked)

    async def extended_card(self, call: Call[None]) -> bytes:
        self._find_agent(call.agent)
        raise UnsupportedOperationError(
            f"{call.agent} has no extended card on this host: read its public card"
        )

    async def push(self, call: Call[None]) -> bytes:
        self._find_agent(call.agent)
        raise refuse_push()

    async def send(self, call: Call[pb.SendMessageRequest]) -> bytes:
        """Return the task when it ends or asks (or at once, if the request says so), or
        a Message."""
        agent, config = self._find_agent(call.agent), call.params.configuration
        self._check_message(call)
        max_history = parse_history_length(config)
        sent, answer = await self._sender.send(agent, call.params)
        if message := await _find_message(answer):
            return build_unnumbered(message).json
        task = answer.task.response.task if answer.task else None
        if not config.return_immediately and not (task and _is_settled(task)):
            async with aclosing(self._read_response(agent, sent, answer)) as updates:
                async for _ in updates:
                    pass
            task = None
        task = task or await self._read_task(agent, answer.task_id)
        task = limit_history(remove_number(task), max_history)
        return msgspec.json.encode(StreamResponse(task=task))

    async def stream(self, call: Call[pb.SendMessageRequest]) -> Updates:
        """Yield Messages, and a Task and its updates until it ends or asks."""
        agent = self._find_agent(call.agent)
        self._check_message(call)
        sent, answer = await self._sender.send(agent, call.params)
        async with aclosing(answer.read_messages()) as messages:
            async for message in messages:
                yield [build_unnumbered(message.response)]
        if not answer.task_id:
            return
        async with aclosing(self._read_response(agent, sent, answer)) as updates:
            async for batch in updates:
                yield batch

    async def get_task(self, call: Call[pb.GetTaskRequest]) -> bytes:
        """Return the agent's Task."""
        agent, max_history = (
            self._find_agent(call.agent),
            parse_history_length(call.params),
        )
        task = await _get_task(agent, parse_task_id(call.params))
        return msgspec.json.encode(limit_history(remove_number(task), max_history))

    async def list_tasks(self, call: Call[pb.ListTasksRequest]) -> bytes:
        """Return the agent's tasks as the feed has them."""
        self._find_agent(call.agent)
        parse_history_length(call.params)
        return list_tasks(self._feed.board, call.agent, call.params)

    async def cancel(self, call: Call[pb.CancelTaskRequest]) -> bytes:
        """Return the agent's Task after the cancel. It may have another state."""
        agent, task_id = self._find_agent(call.agent), parse_task_id(call.params)
        row = self._feed.board.task(call.agent, task_id)
        if row and not row.is_open:
            raise TaskNotCancelableError(f"Task {task_id} has ended ({row.state})")
        task = (await agent.cancel(task_id)).response.task or Task()
        return msgspec.json.encode(remove_number(task))

    async def subscribe(self, call: Call[pb.SubscribeToTaskRequest]) -> Updates:
        """Yield the updates after `last_event_id`, or the Task and its updates."""
        after = parse_last_event_id(call.last_event_id)
        agent, task_id = self._find_agent(call.agent), parse_task_id(call.params)
        stream = TaskStream(self._feed, call.agent, task_id)
        head = self._feed.head
        if row := await stream.read_row():
            has_ended = not row.is_open
        else:
            has_ended = await self._has_ended_at_agent(agent, stream, head, after)
        if after is not None:
            updates = stream.read_after(after)
        elif has_ended:
            raise UnsupportedOperationError(
                f"Task {task_id} has ended: read it with GetTask, or subscribe with "
                "Last-Event-ID"
            )
        else:
            updates = stream.read_task()
        async with aclosing(updates):
            async for batch in updates:
                yield batch

    async def _has_ended_at_agent(
        self, agent: Backend, stream: TaskStream, head: int, after: int | None
    ) -> bool:
        """Return whether a task has ended that was not in the feed at event `head`.

        Unless the caller must be refused anyway, wait until the feed has the task.
        """
        task = await _get_task(agent, stream.task_id)
        has_ended = is_terminal(task.status.state)
        if has_ended and after is None:
            return True
        if await stream.wait_for_row(head, FEED_TIMEOUT_S) is not None:
            return has_ended
        if has_ended:
            raise UpdatesGone(
                f"Updates after {after} are not available: task {task.id} ended "
                "before the host found it",
                {"oldest": "1", "newest": "0"},
            )
        raise AgentUnreachable(
            f"{agent.name} has task {task.id}, but the host cannot follow it: try again"
        )

    async def _read_response(
        self, agent: Backend, sent: SentMessage, answer: Answer
    ) -> Updates:
        """Yield the Task and its updates until it ends or asks.

        If the answer came just now, the Task is as of the first row after the message,
        so that no update is left out. Else it is current.
        """
        stream, update = TaskStream(self._feed, agent.name, answer.task_id), answer.task
        task = update.response.task if update else None
        row_id = await stream.wait_for_row(sent.feed_head, FEED_TIMEOUT_S)
        if row_id is None and await stream.read_row() is None:
            # The host lost the agent before the task was in the feed.
            task = task or await _get_task(agent, answer.task_id)
            yield [build_unnumbered(StreamResponse(task=task))]
            if _is_settled(task):
                return
            row_id = await stream.wait_for_row(sent.feed_head, math.inf)
        # After a reply, the feed may still have the question that it answers: only a
        # new row or the agent's answer can end the response. A Message may add no row.
        is_message = update is not None and update.response.message is not None
        can_end = row_id is not None or is_message
        is_settled = task is not None and _is_settled(task)
        updates = stream.read_task(row_id if update else None)
        async with aclosing(updates):
            async for batch in updates:
                batch = take_until_settled(batch)
                yield batch
                if batch[-1].is_settled and (can_end or is_settled):
                    return
                can_end = True

    async def _read_task(self, agent: Backend, task_id: str) -> Task:
        """Return the agent's Task, or the feed's if the agent or the task is lost."""
        try:
            return await _get_task(agent, task_id)
        except (AgentUnreachable, TaskNotFoundError):
            stream = TaskStream(self._feed, agent.name, task_id)
            if await stream.read_row() is None:
                raise
            async with aclosing(stream.read_task()) as updates:
                (first,) = await anext(updates)
            return parse_response(first.json).task or Task()

    def _check_message(self, call: Call[pb.SendMessageRequest]) -> None:
        """Raise A2AError for a message that the agent could not accept."""
        check_required_fields(call.params)
        if call.params.configuration.HasField("task_push_notification_config"):
            raise refuse_push()
        message = call.params.message
        if self._sender.is_known(call.agent, message) or not message.task_id:
            return
        row = self._feed.board.task(call.agent, message.task_id)
        if row and not row.is_open:
            raise UnsupportedOperationError(
                f"Task {row.task_id} has ended ({row.state}): start a new task with a "
                "message without taskId"
            )


@dataclass(frozen=True)
class Operation:
    """`run` is a method of Operations, `params` its request; None takes any.

    With `streams`, `run` yields updates.
    """

    run: Callable[[Operations, Call[Any]], Any]
    params: type[Message] | None = None
    streams: bool = False


OPERATIONS = {
    "SendMessage": Operation(Operations.send, pb.SendMessageRequest),
    "SendStreamingMessage": Operation(
        Operations.stream, pb.SendMessageRequest, streams=True
    ),
    "GetTask": Operation(Operations.get_task, pb.GetTaskRequest),
    "ListTasks": Operation(Operations.list_tasks, pb.ListTasksRequest),
    "CancelTask": Operation(Operations.cancel, pb.CancelTaskRequest),
    "SubscribeToTask": Operation(
        Operations.subscribe, pb.SubscribeToTaskRequest, streams=True
    ),
    "GetExtendedAgentCard": Operation(Operations.extended_card),
    # All methods whose name contains this.
    "PushNotificationConfig": Operation(Operations.push),
}


async def _get_task(agent: Backend, task_id: str) -> Task:
    # The bindings make sure that there is a task.
    return (await agent.get_task(task_id)).response.task or Task()


async def _find_message(answer: Answer) -> StreamResponse | None:
    """Return the Message of an answer without a task: the last one of several."""
    await answer.wait_until_quiet()
    if answer.task:
        response = answer.task.response
        return response if response.message is not None else None
    return None if answer.task_id else answer.messages[-1].response


def _is_settled(task: Task) -> bool:
    return status_of(task.status.state) in SETTLED
