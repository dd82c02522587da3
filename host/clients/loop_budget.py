"""Limits how much of the event loop's time the responses of one agent may take.

The time is measured where the host reads for the agent: HTTP, streams and JSON. When
the agent has used up its share, all its connections wait.
"""

from __future__ import annotations

import asyncio
import time
import types
from collections import defaultdict
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol, TypeVar, cast

import anyio

Result = TypeVar("Result")

SHARE = 0.25  # Of the event loop's time. 2,500 updates a second need 0.07.
BURST_S = 0.025  # Of the event loop's time, after a quiet period.
BYTES_PER_S = 32 * 1024 * 1024  # Reading 40 MB of updates takes a second.
REPORT_S = 1.0  # A shorter wait is not worth a report.

HTTP = "its HTTP has very many small chunks, trailers or interim responses"
STREAM = (
    "its streams have very large events, or very many comments, empty lines or short "
    "lines"
)
JSON = "its JSON takes very long to read"
REQUESTS = "its tasks need very many requests"
SIZE = "its responses have more than 32 MiB a second"


class Pausable(Protocol):
    """A connection to the agent."""

    def pause(self) -> None:
        """Read nothing from the connection."""

    def go_on(self) -> None:
        """Read again."""


class LoopBudget:
    """`clock` counts seconds, and `cpu_clock` those in which this thread runs."""

    def __init__(
        self,
        clock: Callable[[], float] = time.perf_counter,
        share: float = SHARE,
        cpu_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._clock = clock
        self._cpu_clock = cpu_clock
        self._share = share
        self._balanced_at = clock() - BURST_S / share
        self._spent: dict[str, float] = defaultdict(float)
        self._waited_s = 0.0
        # In the order in which they read again after a pause.
        self._connections: dict[Pausable, None] = {}
        self.is_paused = False
        self.paused_s = 0.0
        """How long all pauses take, including the current one."""

    @contextmanager
    def spend(self, reason: str) -> Iterator[None]:
        """Count the time of the block, which must not await anything."""
        begun = self._clock()
        try:
            yield
        finally:
            self.spend_time(reason, self._clock() - begun)

    def spend_time(self, reason: str, took_s: float) -> None:
        self._add(reason, took_s / self._share)

    @types.coroutine
    def metered(
        self, reason: str, coroutine: Coroutine[Any, Any, Result]
    ) -> Generator[Any, Any, Result]:
        """Await the coroutine, and count the CPU time of its steps.

        A request has system calls, in which a busy machine may stop the thread.
        """
        step = partial(coroutine.send, None)
        while True:
            begun = self._cpu_clock()
            try:
                waits_for = step()
            except StopIteration as end:
                return cast(Result, end.value)
            finally:
                self.spend_time(reason, self._cpu_clock() - begun)
            try:
                yield waits_for
            except BaseException as error:
                step = partial(coroutine.throw, error)
            else:
                step = partial(coroutine.send, None)

    def spend_bytes(self, count: int) -> None:
        self._add(SIZE, count / BYTES_PER_S)

    def _add(self, reason: str, cost_s: float) -> None:
        self._spent[reason] += cost_s
        earliest = self._clock() - BURST_S / self._share
        self._balanced_at = max(self._balanced_at, earliest) + cost_s

    @property
    def wait_s(self) -> float:
        """How long the agent's connections must wait now."""
        return max(0.0, self._balanced_at - self._clock())

    async def wait(self) -> None:
        """Wait until the agent has used no more than its share."""
        while (wait_s := self.wait_s) > 0:
            self._waited_s += wait_s
            await anyio.sleep(wait_s)

    def attach(self, connection: Pausable) -> None:
        self._connections[connection] = None
        if self.is_paused:
            connection.pause()

    def detach(self, connection: Pausable) -> None:
        self._connections.pop(connection, None)

    def pause_connections(self, reader: Pausable) -> None:
        """Pause all connections at once until the agent has not used too much.

        Otherwise each of 500 streams would take its turn before it pauses. `reader` is
        the one that read last. After the pause, all others read before it.
        """
        wait_s = self.wait_s
        if self.is_paused or not wait_s:
            return
        self.is_paused = True
        self.paused_s += wait_s
        self._waited_s += wait_s
        self._connections[reader] = self._connections.pop(reader)
        for connection in self._connections:
            connection.pause()
        asyncio.get_running_loop().call_later(wait_s, self._go_on)

    def _go_on(self) -> None:
        self.is_paused = False
        for connection in self._connections:
            connection.go_on()

    def take_report(self) -> str | None:
        """Return what the agent does that takes so long, if it had to wait lately."""
        waited_s, self._waited_s = self._waited_s, 0.0
        spent, self._spent = self._spent, defaultdict(float)
        # What takes so long may have ended before the last report.
        if waited_s < REPORT_S or not spent:
            return None
        reason = max(spent, key=spent.__getitem__)
        return f"the host reads it slowly: {reason}"
