"""Sends one message to an agent, and reads the response to its end.

Some agents work only while the request is open. The updates of the response belong to
the task that the message starts or continues.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import A2AError, InternalError

from ..clients.bindings.types import Batch, Update
from ..clients.connection import Connection
from ..errors import AgentUnreachable
from ..model.timestamps import now
from ..protocol.event_builders import build_message_event
from .agent_row import AgentRow
from .follower import Follower
from .followers import Followers


class MessageResponse:
    """The response to one message. `first` is its first update, or the error."""

    def __init__(
        self,
        request: pb.SendMessageRequest,
        followers: Followers,
        agent_row: AgentRow,
        parent_task_id: str | None,
    ) -> None:
        self.first: asyncio.Future[Update] = asyncio.get_running_loop().create_future()
        self._request = request
        self._followers = followers
        self._agent_row = agent_row
        self._parent_task_id = parent_task_id

    async def read(self, connection: Connection) -> None:
        """Send the message, and read the whole response.

        Does not raise A2AError or AgentUnreachable. Before the first update, such an
        error is set on `first`.
        """
        task_id = self._request.message.task_id
        follower = self._followers.get(task_id) if task_id else None
        try:
            if follower:
                await self._read_reply(connection, follower)
            else:
                await self._read_first_response(connection)
        except BaseException as error:
            if not self.first.done():
                self.first.set_exception(self._describe(error))
                self.first.exception()  # Perhaps nobody waits any more.
            if not isinstance(error, A2AError | AgentUnreachable):
                raise
            if isinstance(error, InternalError | AgentUnreachable):
                await self._agent_row.report_send_failure(str(error))

    async def _read_reply(self, connection: Connection, follower: Follower) -> None:
        stream = await follower.expect_reply()
        try:
            async with aclosing(connection.send(self._request)) as response:
                found = await self._find_task(response)
                if not found:
                    return
                task_id, rest = found
                if task_id == self._request.message.task_id:
                    await follower.read_reply(stream, rest)
                else:
                    await self._follow(task_id, rest)
        finally:
            follower.end_reply(stream)

    async def _read_first_response(self, connection: Connection) -> None:
        self._followers.expect_response()
        is_expected = True
        try:
            async with aclosing(connection.send(self._request)) as response:
                found = await self._find_task(response)
                self._followers.end_expecting()
                is_expected = False
                if found:
                    await self._follow(*found)
        finally:
            if is_expected:
                self._followers.end_expecting()

    async def _follow(self, task_id: str, response: AsyncGenerator[Batch]) -> None:
        follower = self._followers.get(task_id)
        if follower is None:
            await self._followers.run(task_id, response, self._parent_task_id)
            return
        # The task was found too long ago: its stream is ahead of this one.
        if self._parent_task_id:
            follower.set_parent(self._parent_task_id)
        async for _ in response:
            pass
        follower.read_task_after(0)

    async def _find_task(
        self, response: AsyncGenerator[Batch]
    ) -> tuple[str, AsyncGenerator[Batch]] | None:
        """Return the id of the task and the updates from there on, None if there is no
        task. Earlier messages belong to no task: write them."""
        cause: str | None = None
        async for batch in response:
            for place, update in enumerate(batch.updates):
                if not self.first.done():
                    self.first.set_result(update)
                    await self._agent_row.clear_send_failure()
                if task_id := self._task_of(update):
                    rest = batch._replace(updates=batch.updates[place:])
                    return task_id, _chain(rest, response)
                if message := update.response.message:
                    event = build_message_event(self._agent_row.name, message, now())
                    await self._agent_row.append(event, update.raw)
            cause = batch.why or cause
        if not self.first.done():
            raise AgentUnreachable(
                f"bad response: {self._agent_row.name} ended its answer without a "
                "usable update" + (f": {cause}" if cause else "")
            )
        return None

    def _task_of(self, update: Update) -> str | None:
        if message := update.response.message:
            # Some agents name a task in a Message that stands for itself.
            is_followed = self._followers.get(message.task_id) is not None
            return message.task_id if is_followed else None
        return update.response.task_id or self._request.message.task_id or None

    def _describe(self, error: BaseException) -> Exception:
        if isinstance(error, A2AError | AgentUnreachable):
            return error
        name = self._agent_row.name
        return AgentUnreachable(f"{name} was lost before it answered: {error!r}")


async def _chain(first: Batch, rest: AsyncGenerator[Batch]) -> AsyncGenerator[Batch]:
    yield first
    async for batch in rest:
        yield batch
