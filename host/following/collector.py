"""Follows one agent: connects to it, finds its tasks, and runs a follower for each.

When the agent is lost, the collector retries until it is removed. The gateway sends
messages through the collector, so that a new task is followed from its first update.
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
from .agent_row import AgentRow
from .discovery import Discovery
from .follower import Follower

logger = logging.getLogger("courtside.collector")

MAX_RETRY_S = 1.5
CHECK_S = 5.0
AFTER_CANCEL_S = 1.0


class Collector:
    """Follows the agent `name` while `run` runs.

    `wants` tells which of the tasks that the agent lists are followed; without it, all.
    """

    def __init__(
        self,
        name: str,
        settings: AgentSettings,
        feed: Feed,
        rate_limiter: RateLimiter | None = None,
        wants: Callable[[str], bool] | None = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self._feed = feed
        self._credentials = Credentials(settings)
        self._rate_limiter = rate_limiter or RateLimiter()
        self._agent_row = AgentRow(name, settings.url, feed)
        self._wants = wants
        self._discovery = Discovery(name, feed, self._follow_found)
        self._connection: Connection | None = None
        self._group: TaskGroup | None = None
        self._followers: dict[str, Follower] = {}
        self._retry = anyio.Event()
        self._attempts = 0
        self._retry_at: float | None = None

    async def run(self) -> None:
        await self._agent_row.set_connecting()
        while True:
            try:
                async with self._connect() as connection:
                    self._attempts = 0
                    await self._agent_row.set_connected(connection)
                    await self._follow_agent(connection)
                logger.info(Line(agent=self.name, card="changed"))
                continue
            except AgentUnreachable as error:
                cause = str(error)
            except Exception as error:
                # No error may end the following of the other agents.
                logger.exception(Line(agent=self.name, following="failed"))
                cause = redact(f"the host failed to follow it: {error!r}")
            self._attempts += 1
            await self._wait_to_retry(cause)

    def retry_now(self) -> None:
        """End the wait before the next attempt, if there is one."""
        self._retry.set()

    async def announce_removed(self) -> None:
        """Write the agent's last event. Call it when `run` has ended."""
        await self._agent_row.set_removed()

    @property
    def left_out(self) -> int:
        """Number of the agent's updates that were dropped since the start."""
        return self._agent_row.left_out

    @property
    def state(self) -> CollectorState:
        at, connection = self._retry_at, self._connection
        tasks = [follower.state for follower in self._followers.values()]
        return CollectorState(
            attempts=self._attempts,
            retry_in_s=round(max(0, at - anyio.current_time()), 1) if at else None,
            streams=MAX_STREAMS - connection.stream_slots.value if connection else 0,
            max_streams=MAX_STREAMS,
            budget=self._rate_limiter.left,
            left_out=self.left_out,
            following=len(tasks),
            tasks=sorted(tasks, key=lambda task: -task.quiet_s)[:MAX_SHOWN],
        )

    @property
    def connection(self) -> Connection:
        """The connection to the agent. Raises AgentUnreachable while it is lost."""
        if self._connection is None:
            cause = self._agent_row.cause or "still connecting"
            raise AgentUnreachable(f"{self.name} cannot be reached: {cause}")
        return self._connection

    @property
    def card(self) -> pb.AgentCard:
        """The agent's card, as the host gets it. Raises AgentUnreachable."""
        return self.connection.card

    # Every method from here on raises AgentUnreachable while the agent is lost, and
    # A2AError when the agent refuses.

    async def get_task(self, task_id: str) -> Update:
        """Return the task as its agent has it. Follow it if it is open."""
        update = await self.connection.get_task(task_id)
        task = update.response.task
        if task and not is_terminal(task.status.state):
            self.follow(task_id)
        return update

    async def send(
        self, request: pb.SendMessageRequest, parent_task_id: str | None = None
    ) -> Update:
        """Send a message, return the first update, and follow the task it belongs to.

        The task is followed even if the caller is cancelled. Its rows name
        `parent_task_id` as its parent.
        """
        connection, group = self.connection, self._group
        if group is None:
            raise AgentUnreachable(
                f"the connection to {self.name} was just lost: try again"
            )
        first: asyncio.Future[Update] = asyncio.get_running_loop().create_future()
        group.start_soon(self._send, connection, request, parent_task_id, first)
        return await first

    async def cancel(self, task_id: str) -> Update:
        """Cancel the task. Return it as its agent has it now: perhaps not cancelled."""
        update = await self.connection.cancel(task_id)
        follower = self._followers.get(task_id)
        if follower:
            # Some agents end the stream of a cancelled task without a last update.
            follower.read_task_after(AFTER_CANCEL_S)
        return update

    def follow(self, task_id: str, parent_task_id: str | None = None) -> None:
        """Follow a task of the agent, if it is not followed yet."""
        self._start_follower(task_id, parent_task_id)
        follower = self._followers.get(task_id)
        if follower and parent_task_id:
            follower.set_parent(parent_task_id)

    # A message that was sent.

    async def _send(
        self,
        connection: Connection,
        request: pb.SendMessageRequest,
        parent_task_id: str | None,
        first: asyncio.Future[Update],
    ) -> None:
        async with aclosing(connection.send(request)) as response:
            try:
                batch = await self._read_first(response)
                await self._write_messages(batch)
            except BaseException as error:
                if not first.done():
                    first.set_exception(self._describe_refusal(error))
                if not isinstance(error, Exception):
                    raise
                return
            if not first.done():
                first.set_result(batch.updates[0])
            task_id = batch.updates[0].response.task_id
            if task_id:
                rest = _chain(batch, response)
                await self._read_response(task_id, connection, rest, parent_task_id)

    async def _read_response(
        self,
        task_id: str,
        connection: Connection,
        response: AsyncGenerator[Batch],
        parent_task_id: str | None,
    ) -> None:
        follower = self._followers.get(task_id)
        if follower is None:
            await self._run_follower(task_id, connection, response, parent_task_id)
            return
        if parent_task_id:
            follower.set_parent(parent_task_id)
        if follower.can_take_reply():
            await follower.read_reply(response)

    async def _read_first(self, response: AsyncGenerator[Batch]) -> Batch:
        """Return the first batch with an update."""
        cause: str | None = None
        async for batch in response:
            if batch.updates:
                return batch
            cause = batch.why
        raise AgentUnreachable(
            f"bad response: {self.name} ended its answer without a usable update"
            + (f": {cause}" if cause else "")
        )

    def _describe_refusal(self, error: BaseException) -> Exception:
        if isinstance(error, A2AError | AgentUnreachable):
            return error
        return AgentUnreachable(f"{self.name} was lost before it answered: {error!r}")

    async def _write_messages(self, batch: Batch) -> None:
        for update in batch.updates:
            if message := update.response.message:
                event = build_message_event(self.name, message, now())
                await self._agent_row.append(event, update.raw)

    # The agent's tasks.

    async def _follow_agent(self, connection: Connection) -> None:
        """Follow the agent's tasks until it is lost or its card has changed."""
        lost: AgentUnreachable | None = None
        async with anyio.create_task_group() as group:
            self._connection, self._group = connection, group
            try:
                for row in self._feed.board.open_tasks(self.name):
                    self._start_follower(row.task_id)
                group.start_soon(self._check_followers)
                await self._discovery.run(connection)
            except AgentUnreachable as error:
                lost = error
            finally:
                self._connection = self._group = None
                group.cancel_scope.cancel()
        if lost:
            raise lost

    async def _check_followers(self) -> None:
        while True:
            await anyio.sleep(CHECK_S)
            await self._agent_row.clear_old_trouble()
            for follower in self._followers.values():
                follower.check_quiet()

    def _follow_found(self, task_id: str) -> bool:
        """Follow a task that discovery found. Return whether it is new."""
        is_wanted = self._wants is None or self._wants(task_id)
        return is_wanted and self._start_follower(task_id)

    def _start_follower(self, task_id: str, parent_task_id: str | None = None) -> bool:
        """Follow the task, unless it has a follower. Return whether that is new."""
        connection, group = self._connection, self._group
        if not connection or not group or task_id in self._followers:
            return False
        group.start_soon(self._run_follower, task_id, connection, None, parent_task_id)
        return True

    async def _run_follower(
        self,
        task_id: str,
        connection: Connection,
        response: AsyncGenerator[Batch] | None,
        parent_task_id: str | None,
    ) -> None:
        if task_id in self._followers:
            return
        follower = Follower(task_id, connection, self._feed, self._agent_row)
        self._followers[task_id] = follower
        if parent_task_id:
            follower.set_parent(parent_task_id)
        try:
            await follower.run(response)
        except Exception:
            # An error with one task must not end the agent's other tasks.
            logger.exception(Line(task=f"{self.name}/{task_id}", following="failed"))
        finally:
            del self._followers[task_id]

    # The connection.

    def _connect(self) -> Connection:
        return Connection(
            self.name, self.settings, self._credentials, self._rate_limiter
        )

    async def _wait_to_retry(self, cause: str) -> None:
        attempt = self._attempts
        # With jitter, agents that are lost together are not retried together.
        jitter = random.uniform(0.7, 1)  # noqa: S311
        retry_s = round(min(0.25 * 2**attempt, MAX_RETRY_S) * jitter, 1)
        # Only attempts 1, 2, 4, 8 …: a long absence must not fill the feed.
        if attempt & (attempt - 1) == 0:
            await self._agent_row.set_lost(cause, attempt, retry_s)
        self._retry = anyio.Event()
        self._retry_at = anyio.current_time() + retry_s
        with anyio.move_on_after(retry_s):
            await self._retry.wait()
        self._retry_at = None


async def _chain(first: Batch, rest: AsyncGenerator[Batch]) -> AsyncGenerator[Batch]:
    yield first
    async for batch in rest:
        yield batch
