"""Owns how much of what an agent sends is decoded at once, and where: so that no agent
keeps the others waiting. Each binding says how its items are read; Batches come out.
"""

from __future__ import annotations

import json
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Callable,
    Iterable,
    Iterator,
    Sequence,
)
from functools import partial
from typing import TypeVar

import anyio
from a2a.utils.errors import A2AError
from anyio.lowlevel import checkpoint

from ...observability.redaction import redact
from .types import Admission, Batch, TooLarge, Update

Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_BATCH = 100  # Some 0.5 ms to decode; then everybody else has a turn.
# Odd JSON costs a quarter of a second a megabyte: beyond this a thread has to do it.
LARGE = 64 * 1024
LARGE_BYTES_PER_S = 4 * 1024 * 1024  # What is more waits in the agent's connection.


class Intake:
    """Of one binding. What is large is read one by one, whatever stream it comes in."""

    def __init__(self, budget: Admission) -> None:
        self._budget = budget
        self._one = anyio.Lock()

    async def batches(
        self,
        arrived: AsyncIterable[Sequence[Item]],
        read: Callable[[Item], Update],
        size: Callable[[Item], int],
    ) -> AsyncGenerator[Batch]:
        """Raises what `arrived` does, and the A2AError that an item may be.

        `read` raises ValueError for an item that is of no use: it is left out.
        """
        async for items in arrived:
            for some in _turns(items, size):
                admitted = await self._budget.admit(len(some))
                for batch in await self._decoded(some[:admitted], read, size):
                    yield batch
                if admitted < len(some):
                    yield Batch([], len(some) - admitted, self._budget.why)
                await checkpoint()

    async def _decoded(
        self,
        items: Sequence[Item],
        read: Callable[[Item], Update],
        size: Callable[[Item], int],
    ) -> Iterable[Batch]:
        if len(items) != 1:
            return _decoded(items, read)
        whole = partial(list[Batch], _decoded(items, read))
        return await self.aside(whole, size(items[0]))

    async def aside(self, work: Callable[[], Result], size: int) -> Result:
        """The result of `work` on `size` bytes, in a thread if that is much."""
        if size <= LARGE:
            return work()
        async with self._one:
            result = await anyio.to_thread.run_sync(work, abandon_on_cancel=True)
            await anyio.sleep(size / LARGE_BYTES_PER_S)
        return result


def _turns(
    items: Sequence[Item], size: Callable[[Item], int]
) -> Iterator[Sequence[Item]]:
    """The items as they are taken in turn: what is large alone."""
    start = 0
    for here, item in enumerate(items):
        large = size(item) > LARGE
        if here > start and (large or here - start == MAX_BATCH):
            yield items[start:here]
            start = here
        if large:
            yield items[here : here + 1]
            start = here + 1
    if start < len(items):
        yield items[start:]


def _decoded(
    items: Sequence[Item],
    read: Callable[[Item], Update],
) -> Iterator[Batch]:
    updates: list[Update] = []
    left_out, why, refusal = 0, None, None
    for item in items:
        try:
            update = read(item)
        except (ValueError, RecursionError) as error:
            left_out, why = left_out + 1, redact(_why(error))
            continue
        except A2AError as error:
            refusal = error
            break
        if left_out:
            # A gap stands where its updates were: behind those before it.
            yield Batch(updates, left_out, why)
            updates, left_out = [], 0
        updates.append(update)
    if updates or left_out:
        yield Batch(updates, left_out, why if left_out else None)
    if refusal:
        raise refusal


def _why(error: Exception) -> str:
    if isinstance(error, TooLarge):
        return f"bad answer: {error}"
    kind = "JSON" if isinstance(error, json.JSONDecodeError) else "update of A2A"
    return f"bad answer: an event that is no {kind} ({str(error)[:200]})"
