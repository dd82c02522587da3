"""Sends one message to an agent, and reads the response to its end.

Some agents work only while the request is open. The updates of the response belong to
the task that the message starts or continues. An agent may answer a reply with a new
task.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

import anyio
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import A2AError

from ..clients.answer import Answer
from ..clients.bindings.types import Batch, Update
from ..clients.bindings.unreachable_errors import is_refusal
from ..clients.connection import Connection
from ..errors import AgentUnreachable
from ..merging.agent_row import AgentRow
from ..merging.open_streams import OpenStream
from ..model.timestamps import now
from ..protocol.event_builders import build_message_event
from .follower import Follower
from .followers import Followers
from .response_parts import Part, ResponseParts

Found = tuple[str, AsyncGenerator[Batch]]
"""The id of a task, and a response from its first update on."""


class MessageResponse:
    """The response to one message. `answer` has what it begins with, or the error."""

    def __init__(
        self,
        request: pb.SendMessageRequest,
        followers: Followers,
        agent_row: AgentRow,
        parent_task_id: str | None,
    ) -> None:
        self.answer = Answer()
        self._request = request
        self._followers = followers
        self._agent_row = agent_row
        self._parent_task_id = parent_task_id
        self._asked_id: str = request.message.task_id
        self._linked_id = ""  # The task that continues the asked one.
        self._reply: OpenStream | None = None
        self._parts: ResponseParts | None = None

    async def read(self, connection: Connection) -> None:
        """Send the message, and read the whole response.

        Does not raise A2AError or AgentUnreachable. Before the first update, such an
        error is the end of `answer`.
        """
        try:
            async with aclosing(connection.send(self._request)) as response:
                await self._read_response(response)
        except BaseException as error:
            has_failed = not self.answer.has_begun
            self.answer.end(self._describe(error))
            if not isinstance(error, A2AError | AgentUnreachable):
                raise
            if has_failed and not is_refusal(error):
                await self._agent_row.report_send_failure(_describe_fault(error))
        self.answer.end()

    async def _read_response(self, response: AsyncGenerator[Batch]) -> None:
        """Read the response, and follow each task that it shows."""
        asked = self._followers.get(self._asked_id) if self._asked_id else None
        self._reply = await asked.expect_reply() if asked else None
        try:
            found = await self._find_task(response)
            if not found or found[0] != self._asked_id:
                self._end_reply(asked)
            if found:
                await self._follow_tasks(*found)
        finally:
            self._end_reply(asked)

    def _end_reply(self, asked: Follower | None) -> None:
        reply, self._reply = self._reply, None
        if asked and reply:
            asked.end_reply(reply)

    async def _follow_tasks(
        self, task_id: str, response: AsyncGenerator[Batch]
    ) -> None:
        async with anyio.create_task_group() as group:

            def follow(task_id: str, part: Part) -> None:
                group.start_soon(self._follow, task_id, part)

            self._parts = ResponseParts(task_id, follow)
            await self._parts.read(response)

    async def _follow(self, task_id: str, part: Part) -> None:
        async with aclosing(part):
            continues = await self._link(task_id)
            follower = self._followers.get(task_id)
            if follower is None:
                parent = self._parent_task_id
                await self._followers.run(task_id, part, parent, continues)
                return
            follower.set_links(self._parent_task_id, continues)
            reply, self._reply = self._reply, None
            if reply is None and follower.is_streaming:
                # Its own stream is ahead of the response, and has the same updates.
                with suppress(A2AError, AgentUnreachable):
                    async for _ in part:
                        pass
                follower.read_task_after(0)
                return
            reply = reply or await follower.expect_reply()
            try:
                await follower.read_reply(reply, part)
            finally:
                follower.end_reply(reply)

    async def _link(self, task_id: str) -> str | None:
        """Say that the task of the reply no longer waits, if another one has it.

        Return the task that `task_id` continues.
        """
        if not self._asked_id or self._linked_id not in ("", task_id):
            return None
        if task_id == self._asked_id:
            return None
        asked = self._followers.get(self._asked_id)
        if asked and not self._linked_id:
            if self._parts and asked.needs_input:
                # Its own stream says how it goes on.
                self._parts.end(self._asked_id)
            parent = await asked.continue_by(task_id)
            self._parent_task_id = self._parent_task_id or parent
        self._linked_id = task_id
        return self._asked_id

    async def _find_task(self, response: AsyncGenerator[Batch]) -> Found | None:
        """Return the task of the response, None if it has none.

        Earlier messages belong to no task: write them.
        """
        cause: str | None = None
        with self._followers.expecting():
            async for batch in response:
                for place, update in enumerate(batch.updates):
                    if task_id := self._task_of(update):
                        await self._link(task_id)
                        self.answer.add_task(update, task_id)
                        await self._agent_row.clear_send_failure()
                        rest = batch._replace(updates=batch.updates[place:])
                        return task_id, _chain(rest, response)
                    await self._take_message(update)
                cause = batch.why or cause
        if not self.answer.has_begun:
            raise AgentUnreachable(
                f"bad response: {self._agent_row.name} ended its answer without a "
                "usable update" + (f": {cause}" if cause else "")
            )
        return None

    async def _take_message(self, update: Update) -> None:
        message = update.response.message
        if message is None:
            return  # An update that names no task.
        event = build_message_event(self._agent_row.name, message, now())
        await self._agent_row.append(event, update.raw)
        await self._agent_row.clear_send_failure()
        self.answer.add_message(update)

    def _task_of(self, update: Update) -> str | None:
        if message := update.response.message:
            # Some agents name a task in a Message that stands for itself.
            is_followed = self._followers.get(message.task_id) is not None
            return message.task_id if is_followed else None
        return update.response.task_id or self._asked_id or None

    def _describe(self, error: BaseException) -> Exception:
        if isinstance(error, A2AError | AgentUnreachable):
            return error
        name = self._agent_row.name
        return AgentUnreachable(f"{name} was lost before it answered: {error!r}")


async def _chain(first: Batch, rest: AsyncGenerator[Batch]) -> AsyncGenerator[Batch]:
    yield first
    async for batch in rest:
        yield batch


def _describe_fault(error: Exception) -> str:
    # The text of an A2AError is the agent's own, and may be anything.
    is_own = isinstance(error, A2AError)
    return f"{type(error).__name__}: {error}" if is_own else str(error)
