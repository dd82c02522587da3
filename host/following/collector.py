"""Owns the following of one agent: finds its tasks, brings them up into the feed.

Never ends on its own: an agent that is lost is tried again, and says so in the
feed. The gateway starts tasks through it, so that their first update is followed.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import anyio
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import A2AError
from anyio.abc import TaskGroup

from ..clients.bindings.types import Batch, Update
from ..clients.connection import MAX_STREAMS, Connection
from ..clients.credentials import Credentials
from ..clients.rate_limit import RateLimiter
from ..config.agent_settings import AgentSettings
from ..errors import AgentUnreachable
from ..feed.feed import Feed
from ..model.debug_state import MAX_SHOWN, CollectorState
from ..model.timestamps import now
from ..observability.logfmt import Line
from ..observability.redaction import redact
from ..protocol.event_builders import build_message_event
from ..protocol.task_status import is_terminal
from .discovery import Discovery
from .follower import Follower
from .presence import Presence

logger = logging.getLogger("courtside.collector")

MAX_RETRY_S = 1.5
WATCH_S = 5.0
SETTLE_S = 1.0


class Collector:
    """Follows the agent `name` while `run` runs.

    Of the tasks that it finds there it follows those that are wanted: all, if `wants`
    does not say otherwise.
    """

    def __init__(
        self,
        name: str,
        settings: AgentSettings,
        feed: Feed,
        budget: RateLimiter | None = None,
        wants: Callable[[str], bool] | None = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self._feed = feed
        self._credentials = Credentials(settings)
        self._budget = budget or RateLimiter()
        self._presence = Presence(name, settings.url, feed)
        self._connection: Connection | None = None
        self._followers: TaskGroup | None = None
        self._following: dict[str, Follower] = {}
        self._wants = wants
        self._discovery = Discovery(name, feed, self._found)
        self._retry = anyio.Event()
        self._attempts = 0
        self._retry_at: float | None = None

    async def run(self) -> None:
        await self._presence.connecting()
        while True:
            try:
                async with self._connect() as connection:
                    self._attempts = 0
                    await self._presence.connected(connection)
                    await self._follow(connection)
                logger.info(Line(agent=self.name, card="changed"))
                continue
            except AgentUnreachable as error:
                cause = str(error)
            except Exception as error:
                # Whatever it is, it must not end the following of the others.
                logger.exception(Line(agent=self.name, following="failed"))
                cause = redact(f"the host failed to follow it: {error!r}")
            self._attempts += 1
            await self._wait_to_retry(self._attempts, cause)

    def _connect(self) -> Connection:
        return Connection(self.name, self.settings, self._credentials, self._budget)

    def retry_now(self) -> None:
        """Ends the wait before the next attempt, if there is one."""
        self._retry.set()

    @property
    def left_out(self) -> int:
        """Updates of the agent that did not get into the feed since it is followed."""
        return self._presence.left_out

    @property
    def state(self) -> CollectorState:
        """What it is doing, for whoever looks into the host."""
        at, connection = self._retry_at, self._connection
        tasks = [follower.state for follower in self._following.values()]
        return CollectorState(
            attempts=self._attempts,
            retry_in_s=round(max(0, at - anyio.current_time()), 1) if at else None,
            streams=MAX_STREAMS - connection.stream_slots.value if connection else 0,
            max_streams=MAX_STREAMS,
            budget=self._budget.left,
            left_out=self.left_out,
            following=len(tasks),
            tasks=sorted(tasks, key=lambda task: -task.quiet_s)[:MAX_SHOWN],
        )

    async def announce_removed(self) -> None:
        """Its last word in the feed, when `run` has ended."""
        await self._presence.removed()

    @property
    def connection(self) -> Connection:
        """The connection to the agent. Raises AgentUnreachable while it is lost."""
        if self._connection is None:
            cause = self._presence.cause or "still connecting"
            raise AgentUnreachable(f"{self.name} cannot be reached: {cause}")
        return self._connection

    @property
    def card(self) -> pb.AgentCard:
        """As the agent shows it to the host. Raises AgentUnreachable."""
        return self.connection.card

    async def get_task(self, task_id: str) -> Update:
        """The task as its agent has it, and is followed if it is open.

        Raises AgentUnreachable, and A2AError when the agent refuses.
        """
        update = await self.connection.get_task(task_id)
        task = update.response.task
        if task and not is_terminal(task.status.state):
            self.follow(task_id)
        return update

    async def send(
        self, request: pb.SendMessageRequest, parent_task_id: str | None = None
    ) -> Update:
        """Sends a message and follows what comes of it; returns the first answer.

        Whoever asked may go away: the task is followed all the same. A task that
        comes of it is the child of `parent_task_id`. Raises AgentUnreachable, and
        A2AError when the agent refuses.
        """
        connection, followers = self.connection, self._followers
        if followers is None:
            raise AgentUnreachable(f"{self.name} was lost just now: try again")
        first: asyncio.Future[Update] = asyncio.get_running_loop().create_future()
        followers.start_soon(self._send, connection, request, parent_task_id, first)
        return await first

    def follow(self, task_id: str, parent_task_id: str | None = None) -> None:
        """Follows a task that is known to be there, if it is not followed yet."""
        self._follow_soon(task_id, parent_task_id)
        follower = self._following.get(task_id)
        if follower and parent_task_id:
            follower.set_parent(parent_task_id)

    async def cancel(self, task_id: str) -> Update:
        """The task as its agent leaves it, which may not be cancelled.

        Raises AgentUnreachable, and A2AError when the agent refuses.
        """
        update = await self.connection.cancel(task_id)
        follower = self._following.get(task_id)
        if follower:
            # Some agents end the stream of a cancelled task without a word.
            follower.read_task_after(SETTLE_S)
        return update

    async def _send(
        self,
        connection: Connection,
        request: pb.SendMessageRequest,
        parent_task_id: str | None,
        first: asyncio.Future[Update],
    ) -> None:
        async with aclosing(connection.send(request)) as stream:
            try:
                batch = await self._answer(stream)
                await self._keep_messages(batch)
            except BaseException as error:
                if not first.done():
                    first.set_exception(self._refusal(error))
                if not isinstance(error, Exception):
                    raise
                return
            if not first.done():
                first.set_result(batch.updates[0])
            # A reply's answers come up by the subscription, where there is one.
            task_id = batch.updates[0].response.task_id
            answer, follower = _chain(batch, stream), self._following.get(task_id or "")
            if follower and parent_task_id:
                follower.set_parent(parent_task_id)
            if follower is None and task_id:
                await self._run_follower(task_id, connection, answer, parent_task_id)
            elif follower is not None and follower.can_take_reply():
                await follower.read_reply(answer)

    async def _answer(self, stream: AsyncGenerator[Batch]) -> Batch:
        """The first batch with something in it."""
        why: str | None = None
        async for batch in stream:
            if batch.updates:
                return batch
            why = batch.why
        raise AgentUnreachable(
            f"bad answer: {self.name} ended its answer with nothing in it"
            + (f" that can be used: {why}" if why else "")
        )

    def _refusal(self, error: BaseException) -> Exception:
        """What the asker is told: the agent's own word, or that it has none."""
        if isinstance(error, A2AError | AgentUnreachable):
            return error
        return AgentUnreachable(f"{self.name} was lost before it answered: {error!r}")

    async def _keep_messages(self, batch: Batch) -> None:
        for update in batch.updates:
            if update.response.message is not None:
                event = build_message_event(self.name, update.response.message, now())
                await self._presence.append(event, update.raw)

    async def _follow(self, connection: Connection) -> None:
        """Until the agent is lost, or its card has changed."""
        lost: AgentUnreachable | None = None
        async with anyio.create_task_group() as group:
            self._connection, self._followers = connection, group
            try:
                for row in self._feed.board.open_tasks(self.name):
                    self._follow_soon(row.task_id)
                group.start_soon(self._watch)
                await self._discovery.run(connection)
            except AgentUnreachable as error:
                lost = error
            finally:
                self._connection = self._followers = None
                group.cancel_scope.cancel()
        if lost:
            raise lost

    async def _watch(self) -> None:
        while True:
            await anyio.sleep(WATCH_S)
            await self._presence.calm()
            for follower in self._following.values():
                follower.check_quiet()

    def _found(self, task_id: str) -> bool:
        wanted = self._wants is None or self._wants(task_id)
        return wanted and self._follow_soon(task_id)

    def _follow_soon(self, task_id: str, parent_task_id: str | None = None) -> bool:
        """Returns whether it was not followed yet."""
        connection, followers = self._connection, self._followers
        if not connection or not followers or task_id in self._following:
            return False
        followers.start_soon(
            self._run_follower, task_id, connection, None, parent_task_id
        )
        return True

    async def _run_follower(
        self,
        task_id: str,
        connection: Connection,
        stream: AsyncGenerator[Batch] | None = None,
        parent_task_id: str | None = None,
    ) -> None:
        if task_id in self._following:
            return
        follower = Follower(task_id, connection, self._feed, self._presence)
        self._following[task_id] = follower
        if parent_task_id:
            follower.set_parent(parent_task_id)
        try:
            await follower.run(stream)
        except Exception:
            # One task's trouble must not end the agent's other tasks.
            logger.exception(Line(task=f"{self.name}/{task_id}", following="failed"))
        finally:
            del self._following[task_id]

    async def _wait_to_retry(self, attempt: int, cause: str) -> None:
        retry_s = round(min(0.25 * 2**attempt, MAX_RETRY_S) * _jitter(), 1)
        # Each power of two, so that a long absence does not fill the feed.
        if attempt & (attempt - 1) == 0:
            await self._presence.lost(cause, attempt, retry_s)
        self._retry = anyio.Event()
        self._retry_at = anyio.current_time() + retry_s
        with anyio.move_on_after(retry_s):
            await self._retry.wait()
        self._retry_at = None


def _jitter() -> float:
    """So that agents lost together are not tried together."""
    return random.uniform(0.7, 1)  # noqa: S311


async def _chain(first: Batch, rest: AsyncGenerator[Batch]) -> AsyncGenerator[Batch]:
    yield first
    async for batch in rest:
        yield batch
