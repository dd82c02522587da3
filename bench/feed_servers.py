"""The Python servers of the feed benchmark: the host, and a naive server.

`python -m bench.feed_servers KIND --port P --log L --events N --rate R --data-dir D`
waits for a line on stdin, prints the start time, publishes, and prints its own
measurements when stdin ends.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol

import anyio
from sse_starlette.sse import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from host.app import Host
from host.config.load import Config
from host.log.contract import Entry
from host.log.memory_log import MemoryLog
from host.log.sqlite_log import SqliteLog
from host.model.event import TaskEvent, encode, with_id
from host.server import listen, serve

TASKS = 100
BATCH = 64
PRODUCERS = 8
PROBE_S = 0.01


def update(number: int) -> TaskEvent:
    """Build a typical update. The load client reads the nanoseconds after `~`."""
    return TaskEvent(
        agent="carly",
        task_id=f"5c8f6f0e-4d5f-4d1e-9a55-{number % TASKS:012d}",
        context_id="0d9c7b7e-93a3-4c62-8a55-6b1a5be3f2aa",
        status="running",
        state="TASK_STATE_WORKING",
        progress=50,
        message=f"~{time.monotonic_ns():019d} Querying calendars",
        message_id="76a195f0-8e34-458e-8ce7-116db46ef7f6",
        at="2026-11-22T12:00:00.123456Z",
        received_at="2026-11-22T12:00:00.124Z",
    )


def entry(number: int) -> Entry:
    event = update(number)
    raw = json.dumps({"statusUpdate": {"taskId": event.task_id, "x": "y" * 300}})
    source = f"carly/{event.task_id}"
    return Entry.of(source, number // TASKS + 1, event, raw.encode())


class Publisher(Protocol):
    own: dict[str, float]  # Its own measurements.

    @property
    def app(self) -> ASGIApp: ...

    async def publish(self, number: int) -> None:
        """Publish one update with the current time."""

    async def flood(self, count: int, start: Callable[[], None]) -> None:
        """Call `start()` and publish `count` updates as fast as possible."""


class Ours:
    """The real host. Producers append the events instead of collectors."""

    def __init__(self, config: Config) -> None:
        sqlite = config.log == "sqlite"
        log = SqliteLog(config.data_dir / "feed.db") if sqlite else MemoryLog()
        self.host = Host(config, log)
        self.app: ASGIApp = self.host
        self.own: dict[str, float] = {}

    async def publish(self, number: int) -> None:
        await self.host.feed.append([entry(number)])

    async def flood(self, count: int, start: Callable[[], None]) -> None:
        entries = [entry(number) for number in range(count)]
        batches = iter([entries[n : n + BATCH] for n in range(0, count, BATCH)])
        start()

        began, visible_ms = time.perf_counter(), []

        async def produce() -> None:
            for batch in batches:
                sent = time.perf_counter()
                await self.host.feed.append(batch)
                visible_ms.append((time.perf_counter() - sent) * 1000)

        async with anyio.create_task_group() as group:
            for _ in range(PRODUCERS):
                group.start_soon(produce)
        self.own["append_per_s"] = count / (time.perf_counter() - began)
        self.own["visible_p50_ms"] = _at(0.5, visible_ms)
        self.own["visible_p99_ms"] = _at(0.99, visible_ms)


class Replay(Ours):
    """The host with a log that is filled before the start. It publishes nothing."""

    def __init__(self, config: Config, events: int) -> None:
        async def fill() -> None:
            log = SqliteLog(config.data_dir / "feed.db")
            for n in range(0, events, 5_000):
                await log.append([entry(number) for number in range(n, n + 5_000)])
            await log.close()

        asyncio.run(fill())
        super().__init__(config)

    async def flood(self, count: int, start: Callable[[], None]) -> None:
        start()


class Naive:
    """A queue and a json.dumps per client, with sse-starlette."""

    def __init__(self, config: Config) -> None:
        self.queues: set[asyncio.Queue[dict[str, object]]] = set()
        self.own: dict[str, float] = {}
        self.app: ASGIApp = Starlette(routes=[Route("/feed", self.feed)])

    async def feed(self, request: Request) -> EventSourceResponse:
        async def events() -> AsyncIterator[dict[str, str]]:
            queue: asyncio.Queue[dict[str, object]] = asyncio.Queue()
            self.queues.add(queue)
            yield {"comment": "hello"}
            try:
                while True:
                    event = await queue.get()
                    yield {"id": str(event["id"]), "data": json.dumps(event)}
            finally:
                self.queues.discard(queue)

        return EventSourceResponse(events())

    async def publish(self, number: int) -> None:
        event = json.loads(with_id(number + 1, encode(update(number))))
        for queue in self.queues:
            queue.put_nowait(event)

    async def flood(self, count: int, start: Callable[[], None]) -> None:
        start()
        for number in range(count):
            await self.publish(number)
            await asyncio.sleep(0)


class ControlledApp:
    """An ASGI app that publishes when it gets a line on stdin."""

    def __init__(self, publisher: Publisher, events: int, rate: float) -> None:
        self._publisher = publisher
        self._events = events
        self._rate = rate
        self._late_ms: list[float] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            return await self._publisher.app(scope, receive, send)
        async with anyio.create_task_group() as group:
            group.start_soon(self._run)
            await self._publisher.app(scope, receive, send)
            group.cancel_scope.cancel()

    def stop(self) -> None:
        if isinstance(self._publisher.app, Host):
            self._publisher.app.stop()

    async def _run(self) -> None:
        await _line()
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch)
            if self._rate:
                _start()
                await self._publish_at_rate()
            else:
                await self._publisher.flood(self._events, _start)
            await _line()
            group.cancel_scope.cancel()
        _print(self._publisher.own | {"stall_p99_ms": _at(0.99, self._late_ms)})

    async def _publish_at_rate(self) -> None:
        """Publish on a fixed schedule, no matter how long one publish takes."""
        start = time.monotonic()
        async with anyio.create_task_group() as group:
            for number in range(self._events):
                due = start + number / self._rate
                await asyncio.sleep(max(due - time.monotonic(), 0))
                group.start_soon(self._publisher.publish, number)

    async def _watch(self) -> None:
        """Measure how late the event loop resumes a sleeping task."""
        while True:
            began = time.perf_counter()
            await asyncio.sleep(PROBE_S)
            self._late_ms.append((time.perf_counter() - began - PROBE_S) * 1000)


def _at(share: float, values: list[float]) -> float:
    ordered = sorted(values) or [0.0]
    return ordered[int(share * (len(ordered) - 1))]


def _start() -> None:
    _print({"start_ns": time.monotonic_ns()})


def _print(result: dict[str, float]) -> None:
    print(json.dumps(result), flush=True)


async def _line() -> str:
    return await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("ours", "naive", "replay"))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", choices=("sqlite", "memory"), default="sqlite")
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    given = parser.parse_args()
    config = Config(
        host="127.0.0.1",
        port=given.port,
        data_dir=given.data_dir,
        log=given.log,
        keep_events=10_000_000,
        keep_s=None,
        agents={},
    )
    publisher: Publisher
    if given.kind == "naive":
        publisher = Naive(config)
    elif given.kind == "replay":
        publisher = Replay(config, given.events)
    else:
        publisher = Ours(config)
    serve(ControlledApp(publisher, given.events, given.rate), listen(config))


if __name__ == "__main__":
    main()
