"""Follows one agent: connects to it, finds its tasks, and runs a follower for each.

When the agent is lost, the collector retries until it is removed. The gateway sends
messages through the collector, so that a new task is followed from its first update.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable

import anyio
from a2a.types import a2a_pb2 as pb
from anyio.abc import TaskGroup

from ..clients.answer import Answer
from ..clients.bindings.types import Update
from ..clients.connection import MAX_STREAMS, Connection
from ..clients.credentials import Credentials
from ..clients.loop_budget import LoopBudget
from ..clients.rate_limit import RateLimiter
from ..clients.throttle import Throttle
from ..config.agent_settings import AgentSettings
from ..discovery.discovery import Discovery
from ..discovery.polling_pace import PollingPace
from ..errors import AgentUnreachable
from ..feed.feed import Feed
from ..merging.agent_row import AgentRow
from ..model.debug_state import MAX_SHOWN, CollectorState
from ..observability.logfmt import Line
from ..observability.redaction import redact
from ..protocol.a2a_objects import ListedTask
from ..protocol.gaps import (
    AGENT_WAS_AWAY,
    BOTH_WERE_AWAY,
    HOST_WAS_AWAY,
    NOT_FOLLOWED,
    RECONNECTED,
)
from ..protocol.task_status import is_terminal
from .follow_limit import FollowLimit
from .followers import Followers
from .message_response import MessageResponse
from .task_cancel import cancel_task

logger = logging.getLogger("courtside.collector")

MAX_RETRY_S = 1.5
CONNECT_WAIT_S = 10.0  # How long a command waits while the host connects.
# The reason for a gap, after an attempt to connect has failed.
WITHOUT_AGENT = {HOST_WAS_AWAY: BOTH_WERE_AWAY, RECONNECTED: AGENT_WAS_AWAY}
AFTER_CANCEL_S = (0.5, 2.0, 8.0)


class Collector:
    """Follows the agent `name` while `run` runs.

    `wants` selects the listed tasks to follow. Without it, the collector follows all.
    """

    def __init__(
        self,
        name: str,
        settings: AgentSettings,
        feed: Feed,
        rate_limiter: RateLimiter | None = None,
        budget: LoopBudget | None = None,
        wants: Callable[[str], bool] | None = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self._feed = feed
        self._credentials = Credentials(settings)
        self._rate_limiter = rate_limiter or RateLimiter()
        self._agent_row = AgentRow(name, settings.url, feed)
        self._wants = wants
        self._throttle = Throttle(name)
        self._budget = budget or LoopBudget()
        self._limit = FollowLimit(settings.max_tasks)
        self._pace = PollingPace(
            settings.poll_s, settings.poll_idle_s, self._is_watched
        )
        self._discovery = Discovery(
            name,
            feed,
            self._take_listed,
            pace=self._pace,
            report=self._report_discovery,
            skips=self._skips_listed,
            give_up=self._give_up_listed,
        )
        self._connection: Connection | None = None
        self._group: TaskGroup | None = None
        self._followers: Followers | None = None
        self._away_reason = HOST_WAS_AWAY
        self._has_tried = anyio.Event()
        self._retry = anyio.Event()
        self._attempts = 0
        self._retry_at: float | None = None

    async def run(self) -> None:
        self._away_reason = self._find_away_reason()
        await self._agent_row.set_connecting()
        while True:
            try:
                async with self._connect() as connection:
                    self._attempts = 0
                    await self._agent_row.set_connected(connection)
                    await self._follow_agent(connection)
                logger.info(Line(agent=self.name, card="changed"))
                self._has_tried = anyio.Event()
                continue
            except AgentUnreachable as error:
                cause = str(error)
                if slowness := self._budget.take_report():
                    cause = f"{cause}; {slowness}"
                reason = self._away_reason
                self._away_reason = WITHOUT_AGENT.get(reason, reason)
            except Exception as error:
                # No error may affect the other agents.
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
        tasks = self._followers.states if self._followers else []
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
            cause = self._agent_row.cause or "still connecting, try again"
            raise AgentUnreachable(f"{self.name} cannot be reached: {cause}")
        return self._connection

    @property
    def card(self) -> pb.AgentCard:
        """The agent's card. Raises AgentUnreachable."""
        return self.connection.card

    # Every method from here on raises AgentUnreachable while the agent is lost, and
    # A2AError when the agent refuses.

    async def get_task(self, task_id: str) -> Update:
        """Return the agent's Task. Follow it if it is open."""
        connection = await self._wait_for_connection()
        await self._throttle.admit_command()
        update = await connection.get_task(task_id)
        task = update.response.task
        if task and not is_terminal(task.status.state):
            self.follow(task_id)
        return update

    async def send(
        self, request: pb.SendMessageRequest, parent_task_id: str | None = None
    ) -> Answer:
        """Send a message, return the answer that has begun, and follow its task.

        The task is followed even if the caller is cancelled. Its rows name
        `parent_task_id` as its parent.
        """
        connection = await self._wait_for_connection()
        group, followers = self._group, self._followers
        self._pace.note_news()
        if request.message.task_id:
            self._limit.ask(request.message.task_id)
        if group is None or followers is None:
            raise AgentUnreachable(
                f"the connection to {self.name} was just lost: try again"
            )
        response = MessageResponse(request, followers, self._agent_row, parent_task_id)
        group.start_soon(response.read, connection)
        await response.answer.begin()
        return response.answer

    async def cancel(self, task_id: str) -> Update:
        """Cancel the task. Return its Task, which may not be cancelled."""
        connection = await self._wait_for_connection()
        self._pace.note_news()
        try:
            return await cancel_task(
                connection,
                task_id,
                read_task=self.get_task,
                row=self._feed.board.task(self.name, task_id),
            )
        finally:
            # Some agents cancel a task later, or end its stream without an update.
            if follower := self._followers and self._followers.get(task_id):
                for delay_s in AFTER_CANCEL_S:
                    follower.read_task_after(delay_s)

    def follow(self, task_id: str, parent_task_id: str | None = None) -> None:
        """Follow a task of the agent, if it is not followed yet."""
        if self._followers:
            self._followers.follow(task_id, parent_task_id)

    # The agent's tasks.

    async def _follow_agent(self, connection: Connection) -> None:
        """Follow the agent's tasks until it is lost or its card has changed."""
        lost: AgentUnreachable | None = None
        async with anyio.create_task_group() as group:
            followers = Followers(
                connection,
                self._feed,
                self._agent_row,
                group=group,
                away_reason=self._away_reason,
                stalled_after_s=self.settings.stalled_after_s,
                limit=self._limit,
                wants=self._wants,
                after_quiet=self._pace.note_news,
            )
            self._connection, self._group = connection, group
            self._followers, self._away_reason = followers, RECONNECTED
            self._has_tried.set()
            try:
                followers.start()
                await self._discovery.run(connection)
            except AgentUnreachable as error:
                lost = error
            finally:
                self._connection = self._group = self._followers = None
                group.cancel_scope.cancel()
        if lost:
            raise lost

    def _take_listed(self, task: ListedTask) -> bool:
        return self._followers is not None and self._followers.take_listed(task)

    def _skips_listed(self, task: ListedTask) -> bool:
        return self._followers is None or self._followers.skips(task)

    def _give_up_listed(self, task: ListedTask) -> None:
        if self._followers:
            self._followers.give_up(task)

    async def _report_discovery(self, connection: Connection) -> None:
        if self._followers:
            connection.tasks_trouble = self._followers.trouble
        mark = self._discovery.mark
        await self._agent_row.report_discovery(connection, mark.horizon, mark.until)

    def _is_watched(self) -> bool:
        """Return whether the agent has a task with news, or a reader of its events."""
        has_news = self._followers is not None and not self._followers.is_quiet
        return has_news or self._feed.audience.watches(self.name)

    # The connection.

    def _find_away_reason(self) -> str:
        """Return why updates may be missing after those that the feed has."""
        row = self._feed.board.agents.get(self.name)
        if row and row.connection == "removed":
            return NOT_FOLLOWED
        if row is None or row.received_at < self._feed.opened_at:
            was_lost = row is not None and row.connection == "lost"
            return BOTH_WERE_AWAY if was_lost else HOST_WAS_AWAY
        return AGENT_WAS_AWAY if row.connection == "lost" else RECONNECTED

    async def _wait_for_connection(self) -> Connection:
        """Return the connection, also if the host is about to open it."""
        with anyio.move_on_after(CONNECT_WAIT_S):
            await self._has_tried.wait()
        return self.connection

    def _connect(self) -> Connection:
        return Connection(
            self.name,
            self.settings,
            self._credentials,
            self._rate_limiter,
            self._throttle,
            self._budget,
        )

    async def _wait_to_retry(self, cause: str) -> None:
        attempt = self._attempts
        # With jitter, agents that are lost together are not retried together.
        jitter = random.uniform(0.7, 1)  # noqa: S311
        backoff_s = min(0.25 * 2**attempt, MAX_RETRY_S) * jitter
        retry_s = round(max(backoff_s, self._throttle.remaining_s), 1)
        # Only attempts 1, 2, 4, 8 …: a long absence must not fill the feed.
        if attempt & (attempt - 1) == 0:
            await self._agent_row.set_lost(cause, attempt, retry_s)
        self._has_tried.set()
        self._retry = anyio.Event()
        self._retry_at = anyio.current_time() + retry_s
        with anyio.move_on_after(retry_s):
            await self._retry.wait()
        self._retry_at = None
