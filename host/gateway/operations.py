"""Owns what each operation of A2A means here, over whichever binding it is asked.

The two bindings of the gateway call it; it sends down to the agent, and tells what the
feed says.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import msgspec
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import (
    InvalidParamsError,
    PushNotificationNotSupportedError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from a2a.utils.proto_utils import validate_proto_required_fields

from ..clients.bindings.a2a_errors import UpdatesGone
from ..clients.bindings.types import Update
from ..errors import AgentUnreachable
from ..feed.feed import Feed
from ..model.event import TERMINAL
from ..protocol import a2a
from ..protocol.rows import STATUS
from . import task_list
from .backend import Backend
from .card import build_card
from .sends import Sends, Sent
from .task_stream import Tape
from .task_updates import Numbered, own, shortened, unnumbered, until_settled

FOLLOWED_S = 2.0  # What comes of a message is in the feed at once, or something is odd.


class Operations:
    """`run` it in a task group. `find` gives who is called so, or raises UnknownAgent.

    Every operation raises AgentUnreachable, A2AError and what `find` does.
    """

    def __init__(self, feed: Feed, find: Callable[[str], Backend]) -> None:
        self._feed = feed
        self._find = find
        self._sends = Sends(feed)

    async def run(self) -> None:
        await self._sends.run()

    def card(self, name: str, base: str, *, locked: bool) -> bytes:
        """The card of an agent as it is served at `base`."""
        return build_card(self._find(name).card, f"{base}/a2a/{name}", locked=locked)

    async def extended_card(self, name: str) -> bytes:
        self._find(name)
        raise UnsupportedOperationError(
            f"{name} has no extended card here: all that the host may show of it is on "
            "its card"
        )

    async def push(self, name: str) -> bytes:
        self._find(name)
        raise _no_push()

    async def send(self, name: str, request: pb.SendMessageRequest) -> bytes:
        """A Task or Message, wrapped. Waits for the task to end or ask, unless the
        request says otherwise."""
        agent = self._find(name)
        self._check(name, request)
        length = _length(request.configuration)
        sent, update = await self._sends.send(agent, request)
        if sent.message:
            return unnumbered(sent.message).json
        task = update.response.task if update else None
        wish = request.configuration
        if not wish.return_immediately and not (task and _is_settled(task)):
            async with aclosing(self._follow(agent, sent, update)) as told:
                async for _ in told:
                    pass
            task = None
        task = task or await self._task_now(agent, sent.task_id)
        answer = a2a.StreamResponse(task=shortened(own(task), length))
        return msgspec.json.encode(answer)

    async def stream(
        self, name: str, request: pb.SendMessageRequest
    ) -> AsyncGenerator[list[Numbered]]:
        """A Message, or a Task and what follows until it ends or asks."""
        agent = self._find(name)
        self._check(name, request)
        sent, update = await self._sends.send(agent, request)
        if sent.message:
            yield [unnumbered(sent.message)]
            return
        async with aclosing(self._follow(agent, sent, update)) as told:
            async for updates in told:
                yield updates

    async def get_task(self, name: str, request: pb.GetTaskRequest) -> bytes:
        """The Task as its agent has it."""
        agent, length = self._find(name), _length(request)
        task = await self._task(agent, _id(request.id))
        return msgspec.json.encode(shortened(own(task), length))

    async def list_tasks(self, name: str, request: pb.ListTasksRequest) -> bytes:
        """What the feed knows of the agent's tasks."""
        self._find(name)
        _length(request)
        return task_list.page(self._feed.board, name, request)

    async def cancel(self, name: str, task_id: str) -> bytes:
        """The Task as its agent leaves it, which may not be cancelled."""
        agent = self._find(name)
        row = self._feed.board.task(name, _id(task_id))
        if row and not row.is_open:
            raise TaskNotCancelableError(
                f"Task {task_id} is over ({row.state}): there is nothing to cancel"
            )
        update = await agent.cancel(task_id)
        return msgspec.json.encode(own(_task_in(update.response)))

    async def subscribe(
        self, name: str, task_id: str, after: int | None
    ) -> AsyncGenerator[list[Numbered]]:
        """What followed update `after`; without one a Task, and what follows."""
        agent = self._find(name)
        tape = Tape(self._feed, name, _id(task_id))
        row = await tape.row()
        over = row is not None and not row.is_open
        if row is None:
            over = await self._is_over_before_it_is_known(agent, tape, task_id, after)
        if after is not None:
            told = tape.follow(after)
        elif over:
            raise UnsupportedOperationError(
                f"Task {task_id} is over; read it with GetTask, or subscribe with "
                "Last-Event-ID to what followed an update"
            )
        else:
            told = tape.from_task()
        async with aclosing(told):
            async for updates in told:
                yield updates

    async def _is_over_before_it_is_known(
        self, agent: Backend, tape: Tape, task_id: str, after: int | None
    ) -> bool:
        """Of a task that the agent may know and the feed does not, yet."""
        since = self._feed.head
        task = await self._task(agent, task_id)
        if STATUS.get(task.status.state) in TERMINAL:
            if after is not None:
                raise UpdatesGone(
                    f"What followed update {after} is not kept: task {task_id} was "
                    "over before the host knew it",
                    {"oldest": "1", "newest": "0"},
                )
            return True
        if await tape.news(since, FOLLOWED_S) is None:
            raise AgentUnreachable(
                f"{agent.name} has task {task_id}, but the host could not follow it: "
                "try again"
            )
        return False

    async def _follow(
        self, agent: Backend, sent: Sent, update: Update | None
    ) -> AsyncGenerator[list[Numbered]]:
        """What a message brought about; `update` is the answer, if it came just now.

        Then all of it, from the first row that is new; else the Task as it is now.
        """
        tape = Tape(self._feed, agent.name, sent.task_id)
        task = update.response.task if update else None
        news = await tape.news(sent.since, FOLLOWED_S)
        settled = task is not None and _is_settled(task)
        if news is None and await tape.row() is None:
            # The agent was lost before anything was in the feed.
            task = task or await self._task(agent, sent.task_id)
            yield [unnumbered(a2a.StreamResponse(task=task))]
            if _is_settled(task):
                return
            news = await tape.news(sent.since, math.inf)
        fresh = news is not None
        async with aclosing(tape.from_task(news if update else None)) as told:
            async for updates in told:
                updates = until_settled(updates)
                yield updates
                # A question that the feed had before is not what came of the answer.
                if updates[-1].settles and (fresh or settled):
                    return
                fresh = True

    async def _task_now(self, agent: Backend, task_id: str) -> a2a.Task:
        """As the agent has it, or the feed where the agent is lost or lost it."""
        try:
            return await self._task(agent, task_id)
        except (AgentUnreachable, TaskNotFoundError):
            tape = Tape(self._feed, agent.name, task_id)
            if await tape.row() is None:
                raise
            async with aclosing(tape.from_task()) as told:
                (first,) = await anext(told)
            return _task_in(a2a.parse(first.json))

    async def _task(self, agent: Backend, task_id: str) -> a2a.Task:
        return _task_in((await agent.get_task(task_id)).response)

    def _check(self, name: str, request: pb.SendMessageRequest) -> None:
        """Raises A2AError for what is not to be sent."""
        try:
            validate_proto_required_fields(request)
        except InvalidParamsError as error:
            missing = [one["field"] for one in (error.data or {}).get("errors", [])]
            raise InvalidParamsError(
                f"the request lacks {', '.join(missing)}", error.data
            ) from None
        if request.configuration.HasField("task_push_notification_config"):
            raise _no_push()
        message = request.message
        if self._sends.is_known(name, message) or not message.task_id:
            return
        row = self._feed.board.task(name, message.task_id)
        if row and not row.is_open:
            raise UnsupportedOperationError(
                f"Task {row.task_id} is over ({row.state}) and asks nothing: start a "
                "new one, without taskId"
            )


def _no_push() -> PushNotificationNotSupportedError:
    return PushNotificationNotSupportedError(
        "the host pushes nothing: stream the task, or subscribe to it"
    )


def _length(
    wish: pb.SendMessageConfiguration | pb.GetTaskRequest | pb.ListTasksRequest,
) -> int | None:
    """How much history is wanted, None where nothing is said of it."""
    if not wish.HasField("history_length"):
        return None
    if wish.history_length < 0:
        raise InvalidParamsError(f"historyLength {wish.history_length}: 0 or more")
    return wish.history_length


def _id(task_id: str) -> str:
    if not task_id:
        raise InvalidParamsError("the request lacks the task's id")
    return task_id


def _task_in(response: a2a.StreamResponse) -> a2a.Task:
    """Bindings promise that it is there."""
    return response.task or a2a.Task()


def _is_settled(task: a2a.Task) -> bool:
    return unnumbered(a2a.StreamResponse(task=task)).settles
