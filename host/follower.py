"""Owns one open task of one agent: its stream into the feed, from end to end.

The collector runs one for each task that it finds or starts. A stream that breaks
is taken up again; what the agent still knows is repaired from its Task snapshot,
and where something may be lost a gap says so.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime, timezone

import anyio
from a2a.utils.errors import A2AError, TaskNotFoundError

from host.connection import Connection, Update
from host.errors import AgentUnreachable
from host.event import Event, decode
from host.feed import Feed
from host.filter import Filter
from host.log import Entry
from host.translate import Known, ended, missing, translate

logger = logging.getLogger("courtside.follower")

# At once the first time: many agents end the stream where they ask a question.
RETRY_S = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)
APPEND_DEADLINE_S = 2.0  # What a shutdown waits for a log that does not answer.


def now() -> str:
    """This moment as RFC 3339 in UTC, to the millisecond."""
    stamp = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    return stamp.replace("+00:00", "Z")


class Follower:
    """`run` returns when the task has ended or its agent no longer knows it."""

    def __init__(
        self, agent: str, task_id: str, connection: Connection, feed: Feed
    ) -> None:
        self._connection = connection
        self._feed = feed
        self._source = f"{agent}/{task_id}"
        self._version = 0
        self._known = Known(agent, task_id)
        # Whether updates may have passed while nobody listened.
        self._unwatched = False

    async def run(self, stream: AsyncGenerator[Update] | None = None) -> None:
        """Follows `stream` where the task was started here, else subscribes."""
        await self._recall()
        failures = 0
        while True:
            try:
                async with aclosing(stream or self._subscribe()) as updates:
                    async for update in updates:
                        if await self._take(update):
                            failures = 0
                if not self._ended:
                    # A clean end is no promise: some agents drop a slow subscriber.
                    self._unwatched = True
                    await self._take(await self._get())
            except TaskNotFoundError:
                await self._forget()
                return
            except (AgentUnreachable, A2AError) as error:
                logger.info("task=%s stream=broken cause=%r", self._source, str(error))
            if self._ended:
                return
            stream = None
            self._unwatched = True
            await anyio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
            failures += 1

    @property
    def _ended(self) -> bool:
        return self._known.row is not None and not self._known.row.is_open

    async def _recall(self) -> None:
        """Starts from what the feed says of the task, if it does."""
        self._version = await self._feed.high_water(self._source)
        if not self._version:
            return
        self._unwatched = True
        where = Filter(
            agent=frozenset([self._known.agent]), task=frozenset([self._known.task_id])
        )
        cursor = 0
        while rows := await self._feed.history(cursor, None, 1_000, where):
            self._known.note(decode(row.body) for row in rows)
            cursor = rows[-1].id
        # The board outlives the events that were trimmed.
        row = self._feed.board.task(self._known.agent, self._known.task_id)
        self._known.row = self._known.row or row

    async def _subscribe(self) -> AsyncGenerator[Update]:
        try:
            stream = self._connection.subscribe(self._known.task_id)
            async with aclosing(stream) as updates:
                async for update in updates:
                    yield update
        except TaskNotFoundError:
            raise
        except (A2AError, NotImplementedError):
            # Finished meanwhile, or no SubscribeToTask: GetTask says which.
            yield await self._get()

    async def _get(self) -> Update:
        return await self._connection.get_task(self._known.task_id)

    async def _take(self, update: Update) -> bool:
        """Appends what the update adds, behind a gap if something may be missing.

        Returns whether it added anything.
        """
        moment = now()
        events = translate(self._known, update.response, moment)
        if self._unwatched and self._known.row and events:
            why = "the stream broke: state re-read, updates in between may be missing"
            events.insert(0, missing(self._known, why, moment))
        self._unwatched = False
        await self._append(events, update.raw)
        return bool(events)

    async def _forget(self) -> None:
        """Ends a task that its agent has lost; one nobody saw leaves no trace."""
        if self._known.row is None:
            return
        why = f"{self._known.agent} restarted and no longer knows this task"
        await self._append([ended(self._known, why, now())], None)

    async def _append(self, events: list[Event], raw: bytes | None) -> None:
        if not events:
            return
        entries = []
        for event in events:
            self._version += 1
            entries.append(Entry.of(self._source, self._version, event, raw))
        # Cut off here, the next follower could not tell what was appended.
        with anyio.move_on_after(APPEND_DEADLINE_S, shield=True):
            await self._feed.append(entries)
        self._known.note(events)
