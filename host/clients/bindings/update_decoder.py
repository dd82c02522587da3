"""Decodes the updates of an agent's streams, in small turns and under the agent's rate
limit, so that no agent delays the others."""

from __future__ import annotations

import json
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Callable,
    Iterator,
    Sequence,
)
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread
from a2a.utils.errors import A2AError
from anyio.lowlevel import checkpoint

from ...observability.redaction import redact
from ..loop_budget import JSON, LoopBudget
from ..rate_limit import RateLimiter
from .types import Batch, NotAnUpdate, TooLarge, Update

Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_BATCH = 100  # Takes about 0.5 ms to decode. Then other tasks run.
# Unusual JSON takes up to 3 s a megabyte. A larger item is decoded in a thread, and so
# is everything from an agent that once took so long on the event loop.
LARGE = 16 * 1024
SLOW_S = 0.005  # Of CPU time. Usual turns take a tenth of it.
TURN_BYTES = 32 * 1024


class UpdateDecoder:
    """Belongs to one binding. Decodes one large item at a time, in all its streams."""

    def __init__(self, limiter: RateLimiter, budget: LoopBudget) -> None:
        self._limiter = limiter
        self._budget = budget
        self._lock = anyio.Lock()
        self._is_slow = False

    async def batches(
        self,
        arrived: AsyncIterable[Sequence[Item]],
        read: Callable[[Item], Update],
        size: Callable[[Item], int],
    ) -> AsyncGenerator[Batch]:
        """Yield the updates in `arrived`, and count the unusable ones.

        `read` raises ValueError for an unusable item. It raises A2AError for an error
        that ends the stream, and so does this method.
        """
        async for items in arrived:
            for turn in _turns(items, size):
                batches, refusal = await self._decode_turn(turn, read, size)
                while batches:
                    yield batches.pop(0)
                if refusal:
                    raise refusal
                await self._budget.wait()
                await checkpoint()
            items = turn = ()  # A quiet stream must not keep its last update.

    async def _decode_turn(
        self,
        turn: Sequence[Item],
        read: Callable[[Item], Update],
        size: Callable[[Item], int],
    ) -> tuple[list[Batch], A2AError | None]:
        """Return what `_decode` does, with a Batch for what the rate does not allow."""
        admitted = await self._limiter.admit(len(turn))
        decode = partial(_decode, turn[:admitted], read)
        batches, refusal = await self.run(decode, max(map(size, turn)))
        if admitted < len(turn) and not refusal:
            batches.append(Batch([], len(turn) - admitted, self._limiter.why))
        return batches, refusal

    async def run(self, decode: Callable[[], Result], size: int) -> Result:
        """Return the result of `decode`, which runs in a thread if `size` is large."""
        if size <= LARGE and not self._is_slow:
            with self._budget.spend(JSON):
                result, took_s = _measure(decode)
            self._is_slow = took_s > SLOW_S
            return result
        async with self._lock:
            result, took_s = await anyio.to_thread.run_sync(
                _measure, decode, abandon_on_cancel=True
            )
            self._budget.spend_time(JSON, took_s)
            await self._budget.wait()
        return result


def _measure(decode: Callable[[], Result]) -> tuple[Result, float]:
    """Return the result, and the seconds of CPU time that it took."""
    begun = time.thread_time()
    return decode(), time.thread_time() - begun


def _turns(
    items: Sequence[Item], size: Callable[[Item], int]
) -> Iterator[Sequence[Item]]:
    """Split the items into turns of at most MAX_BATCH items and TURN_BYTES bytes.

    An item that is larger than that is alone in its turn.
    """
    start = total = 0
    for here, item in enumerate(items):
        total += size(item)
        if here > start and (total > TURN_BYTES or here - start == MAX_BATCH):
            yield items[start:here]
            start, total = here, size(item)
    if start < len(items):
        yield items[start:]


def _decode(
    items: Sequence[Item], read: Callable[[Item], Update]
) -> tuple[list[Batch], A2AError | None]:
    """Return the batches, and the error that ends the stream after them."""
    batches: list[Batch] = []
    updates: list[Update] = []
    left_out, why, refusal = 0, None, None
    for item in items:
        try:
            update = read(item)
        except NotAnUpdate:
            continue
        except (ValueError, RecursionError) as error:
            left_out, why = left_out + 1, _reason(error)
            continue
        except A2AError as error:
            refusal = error
            break
        if left_out:
            # The gap goes where the unusable updates were.
            batches.append(Batch(updates, left_out, why))
            updates, left_out = [], 0
        updates.append(update)
    if updates or left_out:
        batches.append(Batch(updates, left_out, why if left_out else None))
    return batches, refusal


def _reason(error: Exception) -> str:
    if isinstance(error, TooLarge):
        return f"bad response: {error}"
    text = redact(str(error))[:200]
    kind = "JSON" if isinstance(error, json.JSONDecodeError) else "A2A update"
    return f"bad response: an event is no {kind} ({text})"
