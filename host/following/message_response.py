"""Sends one message to an agent, and reads the response to its end.

Some agents work only while the request is open. The updates of the response belong to
the task that the message starts or continues. An agent may answer a reply with a new
task.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import A2AError

from ..clients.answer import Answer
from ..clients.bindings.types import Batch, Update
from ..clients.bindings.unreachable_errors import is_refusal
from ..clients.connection import Connection
from ..errors import AgentUnreachable
from ..model.timestamps import now
from ..protocol.event_builders import build_message_event
from .agent_row import AgentRow
from .follower import Follower
from .followers import Followers

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

    async def read(self, connection: Connection) -> None:
        """Send the message, and read the whole response.

        Does not raise A2AError or AgentUnreachable. Before the first update, such an
        error is the end of `answer`.
        """
        follower = self._followers.get(self._asked_id) if self._asked_id else None
        try:
            if follower:
                await self._read_reply(connection, follower)
            else:
                await self._read_first_response(connection)
        except BaseException as error:
            has_failed = not self.answer.has_begun
            self.answer.end(self._describe(error))
            if not isinstance(error, A2AError | AgentUnreachable):
                raise
            if has_failed and not is_refusal(error):
                await self._agent_row.report_send_failure(_describe_fault(error))
        self.answer.end()

    async def _read_reply(self, connection: Connection, follower: Follower) -> None:
        async with aclosing(connection.send(self._request)) as response:
            found = await self._read_same_task(response, follower)
            if found:
                await self._follow(*found)

    async def _read_same_task(
        self, response: AsyncGenerator[Batch], follower: Follower
    ) -> Found | None:
        """Read the response up to another task. Return that task, if there is one."""
        stream = await follower.expect_reply()
        try:
            found = await self._find_task(response)
            if not found or found[0] != self._asked_id:
                return found
            part = _TaskPart(*found)
            await follower.read_reply(stream, part.read())
        finally:
            follower.end_reply(stream)
        if part.other:
            await self._link(part.other[0])
        return part.other

    async def _read_first_response(self, connection: Connection) -> None:
        async with aclosing(connection.send(self._request)) as response:
            found = await self._find_task(response)
            if found:
                await self._follow(*found)

    async def _follow(self, task_id: str, response: AsyncGenerator[Batch]) -> None:
        continues = self._asked_id if task_id != self._asked_id else None
        follower = self._followers.get(task_id)
        if follower is None:
            parent = self._parent_task_id
            await self._followers.run(task_id, response, parent, continues)
            return
        # The task was found too long ago: its stream is ahead of this one.
        follower.set_links(self._parent_task_id, continues)
        async for _ in response:
            pass
        follower.read_task_after(0)

    async def _link(self, task_id: str) -> None:
        """Say that the task of the reply no longer waits, if another one has it."""
        asked = self._followers.get(self._asked_id)
        if asked and task_id != self._asked_id:
            parent = await asked.continue_by(task_id)
            self._parent_task_id = self._parent_task_id or parent

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


class _TaskPart:
    """The updates of one task at the begin of a response.

    `other` is set if an update of another task follows them.
    """

    def __init__(self, task_id: str, response: AsyncGenerator[Batch]) -> None:
        self.other: Found | None = None
        self._task_id = task_id
        self._response = response

    async def read(self) -> AsyncGenerator[Batch]:
        async for batch in self._response:
            for place, update in enumerate(batch.updates):
                task_id = update.response.task_id
                if task_id and task_id != self._task_id:
                    rest = batch._replace(updates=batch.updates[place:])
                    self.other = task_id, _chain(rest, self._response)
                    yield Batch(batch.updates[:place])
                    return
            yield batch


async def _chain(first: Batch, rest: AsyncGenerator[Batch]) -> AsyncGenerator[Batch]:
    yield first
    async for batch in rest:
        yield batch


def _describe_fault(error: Exception) -> str:
    # The text of an A2AError is the agent's own, and may be anything.
    is_own = isinstance(error, A2AError)
    return f"{type(error).__name__}: {error}" if is_own else str(error)
