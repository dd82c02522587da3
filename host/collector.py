"""Owns the following of one agent: finds its tasks, brings them up into the feed.

Never ends on its own: an agent that is lost is tried again, and says so in the
feed. The relay starts tasks through it, so that their first update is followed.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple

import anyio
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import (
    A2AError,
    MethodNotFoundError,
    UnsupportedOperationError,
)
from anyio.abc import TaskGroup

from host.connection import Connection, Listed, Update
from host.errors import AgentUnreachable
from host.event import TERMINAL, AgentEvent, Event, Skill
from host.feed import Feed
from host.follower import Follower, now
from host.log import Entry
from host.translate import STATUS, message_event

logger = logging.getLogger("courtside.collector")

POLL_S = 0.5
MAX_MISSES = 3  # A busy agent may be late; one that refuses is gone at once.
MAX_RETRY_S = 1.5


class Collector:
    """Follows the agent `name` at `url` while `run` runs."""

    def __init__(self, name: str, url: str, feed: Feed) -> None:
        self.name = name
        self._url = url
        self._feed = feed
        self._version = 0
        self._connection: Connection | None = None
        self._followers: TaskGroup | None = None
        self._following: set[str] = set()
        self._retry = anyio.Event()

    async def run(self) -> None:
        self._version = await self._feed.high_water(self.name)
        await self._announce("connecting")
        attempt = 0
        while True:
            try:
                async with Connection(self.name, self._url) as connection:
                    # A card is not enough: an agent that answers no call is lost.
                    listed = await self._list(connection, None)
                    attempt = 0
                    await self._announce("connected", card=connection.card)
                    await self._follow(connection, listed)
            except AgentUnreachable as error:
                cause = str(error)
            except Exception as error:
                # Whatever it is, it must not end the following of the others.
                logger.exception("agent=%s following=failed", self.name)
                cause = f"the host failed to follow it: {error!r}"
            attempt += 1
            await self._wait_to_retry(attempt, cause)

    def retry_now(self) -> None:
        """Ends the wait before the next attempt, if there is one."""
        self._retry.set()

    @property
    def connection(self) -> Connection:
        """The connection to the agent. Raises AgentUnreachable while it is lost."""
        if self._connection is None:
            row = self._feed.board.agents.get(self.name)
            cause = row.cause if row else None
            raise AgentUnreachable(
                f"{self.name} cannot be reached: {cause or 'still connecting'}"
            )
        return self._connection

    async def send(self, request: pb.SendMessageRequest) -> Update:
        """Sends a message and follows what comes of it; returns the first answer.

        Whoever asked may go away: the task is followed all the same. Raises
        AgentUnreachable, and A2AError when the agent refuses.
        """
        connection, followers = self.connection, self._followers
        if followers is None:
            raise AgentUnreachable(f"{self.name} was lost just now: try again")
        first: asyncio.Future[Update] = asyncio.get_running_loop().create_future()
        followers.start_soon(self._send, connection, request, first)
        return await first

    async def _send(
        self,
        connection: Connection,
        request: pb.SendMessageRequest,
        first: asyncio.Future[Update],
    ) -> None:
        async with aclosing(connection.send(request)) as stream:
            try:
                update = await anext(stream)
                await self._keep_message(update)
            except BaseException as error:
                if not first.done():
                    first.set_exception(self._refusal(error))
                if not isinstance(error, Exception):
                    raise
                return
            if not first.done():
                first.set_result(update)
            # A reply's answers come up by the subscription that is there already.
            task_id = update.response.task_id
            if task_id and task_id not in self._following:
                await self._run_follower(task_id, connection, _chain(update, stream))

    def _refusal(self, error: BaseException) -> Exception:
        """What the asker is told: the agent's own word, or that it has none."""
        if isinstance(error, A2AError | AgentUnreachable):
            return error
        return AgentUnreachable(f"{self.name} was lost before it answered: {error!r}")

    async def _keep_message(self, update: Update) -> None:
        if update.response.message is not None:
            event = message_event(self.name, update.response.message, now())
            await self._append(event, update.raw)

    async def _follow(self, connection: Connection, listed: list[Listed]) -> None:
        """Until the agent is lost."""
        lost: AgentUnreachable | None = None
        async with anyio.create_task_group() as group:
            self._connection, self._followers = connection, group
            try:
                for row in self._feed.board.open_tasks(self.name):
                    self._follow_soon(row.task_id)
                await self._find_tasks(connection, listed)
            except AgentUnreachable as error:
                lost = error
            finally:
                self._connection = self._followers = None
                group.cancel_scope.cancel()
        self._following.clear()
        if lost:
            raise lost

    async def _find_tasks(self, connection: Connection, tasks: list[Listed]) -> None:
        """Polls ListTasks, so that tasks which anyone started are followed."""
        since: str | None = None
        misses = 0
        while True:
            for task in tasks:
                since = max(since or "", task.timestamp or "") or None
                await self._found(task)
            await anyio.sleep(POLL_S)
            try:
                tasks = await self._list(connection, since)
                misses = 0
            except AgentUnreachable as error:
                tasks = []
                misses += 1
                if misses == MAX_MISSES or "refused" in str(error):
                    raise

    async def _list(self, connection: Connection, since: str | None) -> list[Listed]:
        try:
            return await connection.list_tasks(since)
        except (MethodNotFoundError, UnsupportedOperationError):
            # No ListTasks: only what passes through the host can be followed, and
            # the card says whether the agent is there.
            await connection.fetch_card()
            return []
        except A2AError as error:
            raise AgentUnreachable(f"{self.name} refuses ListTasks: {error}") from error

    async def _found(self, task: Listed) -> None:
        if task.task_id in self._following:
            return
        row = self._feed.board.task(self.name, task.task_id)
        if row and not row.is_open:
            return
        over = STATUS.get(task.state) in TERMINAL
        if (
            over
            and not row
            and await self._feed.high_water(f"{self.name}/{task.task_id}")
        ):
            return  # Told long ago: the board has let go of it, the log has not.
        self._follow_soon(task.task_id)

    def _follow_soon(self, task_id: str) -> None:
        if self._followers and self._connection and task_id not in self._following:
            self._followers.start_soon(self._run_follower, task_id, self._connection)

    async def _run_follower(
        self,
        task_id: str,
        connection: Connection,
        stream: AsyncGenerator[Update] | None = None,
    ) -> None:
        if task_id in self._following:
            return
        self._following.add(task_id)
        try:
            await Follower(self.name, task_id, connection, self._feed).run(stream)
        except Exception:
            # One task's trouble must not end the agent's other tasks.
            logger.exception("task=%s/%s following=failed", self.name, task_id)
        finally:
            self._following.discard(task_id)

    async def _wait_to_retry(self, attempt: int, cause: str) -> None:
        retry_s = round(min(0.25 * 2**attempt, MAX_RETRY_S) * _jitter(), 1)
        # Each power of two, so that a long absence does not fill the feed.
        if attempt & (attempt - 1) == 0:
            await self._announce("lost", cause=cause, attempt=attempt, retry_s=retry_s)
        self._retry = anyio.Event()
        with anyio.move_on_after(retry_s):
            await self._retry.wait()

    async def _announce(
        self,
        connection: str,
        *,
        card: pb.AgentCard | None = None,
        cause: str | None = None,
        attempt: int = 0,
        retry_s: float | None = None,
    ) -> None:
        """Appends the agent's row; who it is stays known while it is lost."""
        before = self._feed.board.agents.get(self.name)
        logger.info("agent=%s connection=%s cause=%r", self.name, connection, cause)
        if card:
            who = _Who(card.name, card.description, card.version, _skills(card))
        elif before:
            who = _Who(before.title, before.description, before.version, before.skills)
        else:
            who = _Who()
        event = AgentEvent(
            agent=self.name,
            url=self._url,
            connection=connection,
            cause=cause,
            attempt=attempt,
            retry_s=retry_s,
            title=who.title,
            description=who.description,
            version=who.version,
            skills=who.skills,
            followed="streaming" if connection == "connected" else None,
            received_at=now(),
        )
        await self._append(event, None)

    async def _append(self, event: Event, raw: bytes | None) -> None:
        self._version += 1
        await self._feed.append([Entry.of(self.name, self._version, event, raw)])


class _Who(NamedTuple):
    """What a card says of an agent."""

    title: str | None = None
    description: str | None = None
    version: str | None = None
    skills: list[Skill] = []  # noqa: RUF012 - never changed


def _jitter() -> float:
    """So that agents lost together are not tried together."""
    return random.uniform(0.7, 1)  # noqa: S311


async def _chain(first: Update, rest: AsyncGenerator[Update]) -> AsyncGenerator[Update]:
    yield first
    async for update in rest:
        yield update


def _skills(card: pb.AgentCard) -> list[Skill]:
    return [Skill(s.id, s.name, s.description, list(s.examples)) for s in card.skills]
