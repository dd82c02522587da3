"""Owns how one task's updates come in: by its stream, or by looks where there is none.

The follower takes what comes; the connection knows what its agent is able to.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
from a2a.utils.errors import A2AError, TaskNotFoundError

from ..clients.bindings.types import Batch
from ..clients.connection import MAX_STREAMS, TASK_POLL_S, UNSUPPORTED, Connection
from ..observability.logfmt import Line
from ..protocol.task_knowledge import Known
from .presence import Presence

logger = logging.getLogger("courtside.updates")

PLACE_S = 30.0
CROWDED = f"more than {MAX_STREAMS} of its tasks are open: the others wait their turn"


class Updates:
    """Of the task that is `known`. What they raise is the connection's.

    `is_live` while a stream is open, and `unwatched` says why updates may have passed
    while nobody listened, if they may: whoever takes the next one takes it back.
    """

    def __init__(
        self, known: Known, connection: Connection, presence: Presence
    ) -> None:
        self.is_live = False
        self.unwatched: str | None = None
        self._known = known
        self._connection = connection
        self._presence = presence
        self._task_id = known.task_id

    async def come(self) -> AsyncGenerator[Batch]:
        """What the agent says of the task from now on, in the best way it can."""
        if self._connection.can_subscribe:
            async with aclosing(self._streamed()) as batches:
                async for batch in batches:
                    yield batch
        if not self._connection.can_subscribe:
            async with aclosing(self._looks()) as batches:
                async for batch in batches:
                    yield batch

    async def _look(self) -> Batch:
        return Batch([await self._connection.get_task(self._task_id)])

    async def _looks(self, *, while_waiting: bool = False) -> AsyncGenerator[Batch]:
        """Again and again. What comes and goes between two looks is not known, and no
        gap: the agent's row says that it is polled."""
        known = self._known
        while not known.is_over and (known.is_waiting or not while_waiting):
            self.unwatched = None
            yield await self._look()
            await anyio.sleep(TASK_POLL_S)

    async def _streamed(self) -> AsyncGenerator[Batch]:
        was_waiting = self._known.is_waiting
        async with aclosing(self._looks_without_a_place()) as looks:
            async for look in looks:
                yield look
        try:
            await self._connection.wait_to_open()
            async with aclosing(self._subscribed()) as batches:
                async for batch in batches:
                    self.is_live = True
                    yield batch
            return
        except (TaskNotFoundError, *UNSUPPORTED):
            pass
        finally:
            self.is_live = False
            self._connection.stream_slots.release()
        # Ended meanwhile, or asking and nothing ran, or no SubscribeToTask at all.
        yield await self._look()
        if self._known.is_waiting:
            async with aclosing(self._looks(while_waiting=True)) as looks:
                async for look in looks:
                    yield look
        elif not self._known.is_over and not was_waiting:
            self._connection.can_subscribe = False
            await self._presence.connected(self._connection)

    async def _looks_without_a_place(self) -> AsyncGenerator[Batch]:
        """Ends when one of the agent's streams is free, and taken for the task."""
        places = self._connection.stream_slots
        while places.value == 0:
            await self._presence.troubled(CROWDED)
            if not self._connection.is_resumable:
                self.unwatched = CROWDED
                yield await self._look()
                self.unwatched = CROWDED
            with anyio.move_on_after(PLACE_S):
                await places.acquire()
                return
        places.acquire_nowait()

    async def _subscribed(self) -> AsyncGenerator[Batch]:
        known = self._known
        if self._connection.is_resumable:
            after = 0 if known.row is None else known.sequence
            try:
                async with aclosing(
                    self._connection.subscribe(self._task_id, after)
                ) as batches:
                    async for batch in batches:
                        yield batch
                return
            except TaskNotFoundError:
                raise
            except A2AError as error:
                # UpdatesGone, or a word for it: protocol 0.3 has none.
                task = f"{known.agent}/{known.task_id}"
                logger.info(Line(task=task, replay="refused", cause=error))
        async with aclosing(self._connection.subscribe(self._task_id)) as batches:
            async for batch in batches:
                yield batch
