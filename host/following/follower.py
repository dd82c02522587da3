"""Owns one open task of one agent: its updates into the feed, from end to end.

The collector runs one for each task that it finds or starts. A stream that breaks is
taken up again where it was; where the agent cannot do that, what it still knows is
repaired from its Task snapshot, and a gap says where something may be lost.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
import msgspec
from a2a.utils.errors import A2AError, TaskNotFoundError
from msgspec.structs import replace

from ..clients.bindings.types import Batch, Update
from ..clients.connection import Connection
from ..errors import AgentUnreachable
from ..feed.feed import Feed
from ..model.debug_state import TaskState
from ..model.event import TERMINAL, ArtifactEvent, Event
from ..model.timestamps import now
from ..observability.logfmt import Line
from ..protocol.a2a import StreamResponse
from ..protocol.task_knowledge import Known, begins, repeats
from ..protocol.translate import STATUS, ended, missing, translate
from .presence import Presence
from .task_updates import Updates
from .task_writer import Record

logger = logging.getLogger("courtside.follower")

# At once the first time: many agents end the stream where they ask a question.
RETRY_S = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)
MAX_UNSEEN = 4
ACCOUNT_S = 1.0  # One gap for all that was left out meanwhile.
# Some agents forget a subscriber, and neither say nor end anything.
QUIET_WATCHES = 12
BROKEN = "the stream broke: state re-read, updates in between may be missing"
AWAY = "the host was away: updates in between may be missing"


class Follower:
    """`run` returns when the task has ended or its agent no longer knows it."""

    def __init__(
        self, task_id: str, connection: Connection, feed: Feed, presence: Presence
    ) -> None:
        self._connection = connection
        self._presence = presence
        self._task_id = task_id
        self._known = Known(presence.name, task_id)
        self._record = Record(presence.name, task_id, feed)
        self._name = f"{presence.name}/{task_id}"
        self._updates = Updates(self._known, connection, presence)
        self._behind_task = False
        self._taken_at = anyio.current_time()
        self._quiet = 0
        self._left_out = 0
        self._why = ""
        self._accounting = False
        self._attempt = anyio.CancelScope()
        self._begun = anyio.Event()
        self._fed = anyio.Event()  # Set while nobody feeds it.
        self._fed.set()

    def adopt(self, parent_task_id: str) -> None:
        """Says in each row of the task from now on which task started it."""
        self._known.parent_task_id = parent_task_id
        if self._begun.is_set():
            self._tell_parent()
            self._group.start_soon(self._write)

    async def run(self, stream: AsyncGenerator[Batch] | None = None) -> None:
        """Follows `stream` where the task was started here, else subscribes."""
        async with anyio.create_task_group() as self._group:
            if await self._record.recall(self._known):
                self._updates.unwatched = AWAY
                self._tell_parent()
            self._begun.set()
            await self._follow(stream)
            await self._end()

    @property
    def needs_stream(self) -> bool:
        """Whether the stream of a message that was sent is the best there is.

        A subscription that has told more than the question is ahead of the answer's.
        """
        return self._fed.is_set() and (
            not self._updates.is_live or self._known.is_waiting
        )

    @property
    def state(self) -> TaskState:
        row = self._known.row
        return TaskState(
            self._task_id,
            row.status if row else None,
            "stream" if self._updates.is_live or not self._fed.is_set() else "looks",
            round(anyio.current_time() - self._taken_at, 1),
        )

    async def feed(self, stream: AsyncGenerator[Batch]) -> None:
        """Takes that stream to its end, in place of its own: what two streams say
        cannot be told from what is said twice."""
        self._fed = anyio.Event()
        try:
            await self._begun.wait()
            self._attempt.cancel()
            if self._known.is_waiting:
                self._updates.unwatched = (
                    None  # A task that asks says nothing meanwhile.
                )
            async for batch in stream:
                await self._take(batch)
                self._end_if_over()
        except (AgentUnreachable, A2AError) as error:
            # The task's own stream goes on where this one ended.
            logger.info(Line(task=self._name, stream="broken", cause=error))
        finally:
            self._updates.unwatched = self._broken
            self._fed.set()

    def settle_after(self, delay_s: float) -> None:
        """Reads where the task stands, if its stream has not ended it by then."""
        self._group.start_soon(self._settle, delay_s)

    def watch(self) -> None:
        """Looks for itself where the task was quiet for long; called every 5 s.

        Calls are counted, not time: a host that was stopped has yet to hear what came
        meanwhile. Nor is a task quiet whose events wait for the log: a look would be
        ahead of them.
        """
        self._quiet = 0 if self._record.is_writing else self._quiet + 1
        if self._quiet > QUIET_WATCHES:
            self._quiet = 0
            self.settle_after(0)

    async def _follow(self, stream: AsyncGenerator[Batch] | None) -> None:
        failures = 0
        try:
            while not self._known.is_over:
                await self._fed.wait()
                with anyio.CancelScope() as self._attempt:
                    failures = await self._try(stream, failures)
                stream = None
        except TaskNotFoundError:
            await self._forget()

    async def _try(self, stream: AsyncGenerator[Batch] | None, failures: int) -> int:
        """One stream to its end, and a rest; how many brought nothing by now."""
        cause = None
        self._updates.is_live = stream is not None
        try:
            async with aclosing(stream or self._updates.come()) as batches:
                async for batch in batches:
                    if await self._take(batch):
                        failures = 0
                    if self._known.is_over:
                        return 0  # Not every agent ends the stream then.
        except TaskNotFoundError:
            raise
        except (AgentUnreachable, A2AError) as error:
            cause = str(error)
            logger.info(Line(task=self._name, stream="broken", cause=cause))
        finally:
            self._updates.is_live = False
        if self._known.is_over:
            return 0
        await self._resume(failures)
        if cause and failures > 2:
            await self._presence.troubled(cause)
        await anyio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
        return failures + 1

    async def _resume(self, failures: int) -> None:
        # A clean end is no promise: some agents drop a slow subscriber.
        self._updates.unwatched = self._broken
        # What can be replayed in full is not to be cut short by a look.
        unseen = self._known.row is None and failures > MAX_UNSEEN
        if unseen or not self._connection.is_resumable:
            await self._look()
            self._updates.unwatched = self._broken

    @property
    def _broken(self) -> str | None:
        return BROKEN if self._connection.can_stream else None

    def _end_if_over(self) -> None:
        if self._known.is_over:
            self._group.start_soon(self._end)

    def _tell_parent(self) -> None:
        """Where the task was found before the answer came that says whose it is."""
        row, parent = self._known.row, self._known.parent_task_id
        if row and row.parent_task_id != parent:
            told = replace(row, parent_task_id=parent, received_at=now())
            self._known.note([told])
            self._record.add([told], None)

    async def _end(self) -> None:
        await self._record.written()
        self._group.cancel_scope.cancel()

    async def _take(self, batch: Batch) -> bool:
        """Records what the batch adds. Returns whether that was anything."""
        self._taken_at = anyio.current_time()
        self._quiet = 0
        added, moment = False, now()
        for update in batch.updates:
            if self._behind_task or self._updates.unwatched:
                added |= await self._take_update(update, moment)
            else:
                added |= self._add(update, moment)
        if batch.left_out:
            self._left_out += batch.left_out
            self._presence.left_out += batch.left_out
            self._why = batch.why or ""
            if not self._accounting:
                self._accounting = True
                self._group.start_soon(self._account)
            await self._presence.troubled(self._why)
        await self._write()
        return added

    async def _take_update(self, update: Update, moment: str) -> bool:
        response = update.response
        if self._behind_task and await self._is_repeat(update):
            return False
        if self._updates.unwatched and response.status_update and _is_end(update):
            # After the end nothing is added: what came before it must be read now.
            update = await self._get() or update
        return self._add(update, moment)

    def _add(self, update: Update, moment: str) -> bool:
        """Records what the update adds. Returns whether that was anything."""
        response = update.response
        why, self._updates.unwatched = self._updates.unwatched, None
        events = translate(self._known, response, moment, why)
        if self._left_out:
            self._record.add(self._accounted(), None)
        self._known.note(events)
        self._record.add(events, update.raw)
        if response.task:
            self._behind_task = self._known.sequence is None
        elif events and not _is_tick(response):
            self._behind_task = False
        return bool(events)

    async def _is_repeat(self, update: Update) -> bool:
        """Whether a chunk is one that the Task before it had already.

        Some agents tap the stream before they read the Task: what is said in between
        comes in both. A chunk may well equal the one before, so only the agent knows.
        """
        said = update.response.artifact_update
        kept = said and self._known.artifacts.get(said.artifact.artifact_id)
        if not said or not kept or not said.append:
            return False
        parts = msgspec.to_builtins(said.artifact.parts)
        if not repeats(kept.parts, parts):
            return False
        # One that cannot be asked ends this stream: the next begins with the Task.
        task = await self._connection.get_task(self._task_id)
        # The agent may be further by now: what follows must be the chunk itself.
        more = translate(self._known, task.response, now())
        return not any(
            isinstance(event, ArtifactEvent)
            and event.artifact_id == said.artifact.artifact_id
            and (not event.append or begins(event.parts, parts))
            for event in more
        )

    async def _write(self) -> None:
        if self._record.begin():
            self._group.start_soon(self._record.write)
        await self._record.room()

    async def _look(self) -> None:
        """Takes where the task stands, or that its agent no longer knows it."""
        try:
            update = await self._connection.get_task(self._task_id)
            if self._fed.is_set():
                await self._take_update(update, now())
                await self._write()
        except TaskNotFoundError:
            await self._forget()
        except (AgentUnreachable, A2AError) as error:
            logger.info(Line(task=self._name, state="unread", cause=error))

    async def _get(self) -> Update | None:
        try:
            return await self._connection.get_task(self._task_id)
        except (AgentUnreachable, A2AError):
            return None

    async def _settle(self, delay_s: float) -> None:
        await anyio.sleep(delay_s)
        await self._begun.wait()
        # What has numbers will be replayed: a look ahead would make a gap of it.
        if not self._connection.is_resumable:
            await self._look()
            self._end_if_over()

    async def _account(self) -> None:
        """Says what was left out though nothing follows it, and what it led to.

        That only when nothing comes any more: a look would be ahead of what is still
        to be read. Twice, because a host that was held up looks before it reads.
        """
        silent = 0
        while self._left_out or silent < 2:
            taken_at = self._taken_at
            await anyio.sleep(ACCOUNT_S)
            self._record.add(self._accounted(), None)
            await self._write()
            silent = silent + 1 if self._taken_at == taken_at else 0
        self._accounting = False
        await self._look()
        self._end_if_over()

    def _accounted(self) -> list[Event]:
        """A gap that counts what was left out; numbered updates count themselves."""
        count, self._left_out = self._left_out, 0
        if not count or self._known.sequence is not None:
            return []
        why = f"{count} updates were left out: {self._why}"
        return [missing(self._known, why, now(), count)]

    async def _forget(self) -> None:
        """Ends a task that its agent has lost; one nobody saw leaves no trace."""
        if self._known.row is None:
            return
        why = f"{self._known.agent} restarted and no longer knows this task"
        lost, moment = f"{why}: what it told last may be missing", now()
        events: list[Event] = [
            missing(self._known, lost, moment),
            ended(self._known, why, moment),
        ]
        self._known.note(events)
        self._record.add(events, None)


def _is_tick(response: StreamResponse) -> bool:
    """Whether it says nothing that a Task keeps: who knows which of them came first?"""
    said = response.status_update
    return said is not None and said.status.message is None


def _is_end(update: Update) -> bool:
    said = update.response.status_update
    return said is not None and STATUS.get(said.status.state) in TERMINAL
