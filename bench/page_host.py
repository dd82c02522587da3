"""The host of the page benchmark: a real host, with the events of eight busy agents.

Run it with `python -m bench.page_host --port P --data-dir D`. `POST /bench` makes it
append events.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any

import anyio
import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from dashboard.app import create_app as create_dashboard
from host.app import Host
from host.config.load import Config
from host.log.contract import Entry
from host.log.sqlite_log import SqliteLog
from host.model.event import AgentEvent, ArtifactEvent, Event, Skill, TaskEvent
from host.server import listen, serve

AGENTS = ("carly", "walter", "logan", "nancy", "petra", "oscar", "tilda", "victor")
OPEN_TASKS = 60
UPDATES = 120  # Per task: at 500/s, one task ends every quarter second.
ARTIFACT_EVERY = 10
ASKING = (0, 1)  # The tasks in these slots ask for input halfway. Nobody answers.
FAILING_EVERY = 25
FINISHED_WITHIN_S = 200  # The time range that the timeline shows first.
BATCH = 500
KEEP_EVENTS = 300_000
MESSAGES = (
    "Checking availability...",
    "Radar tile 5 of 8 is in; the front moves east at some 30 km/h",
    "Finding a court within 20 minutes of everybody, indoors if it rains",
    "Ready",
    "Asking the calendar of team B for the evenings of next week",
)
RAW = b'{"statusUpdate":{"text":"%b"}}' % (b"y" * 300)


class Task:
    """A task and its progress."""

    _numbers = count(1)

    def __init__(self, slot: int, done: int = 0) -> None:
        self.agent = AGENTS[slot % len(AGENTS)]
        self.number = next(self._numbers)
        self.id = f"5d1f7c3e-93a3-4c62-8a55-{self.number:012d}"
        self._asks = slot in ASKING
        self._skipped = done
        self._version = 0

    def next_entry(self, at: datetime) -> Entry:
        self._version += 1
        step = self._skipped + self._version
        event = self._event(
            step, f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
        )
        return Entry.of(f"{self.agent}/{self.id}", self._version, event, RAW)

    def last_entry(self, at: datetime) -> Entry:
        self._skipped = UPDATES - 1 - self._version
        return self.next_entry(at)

    @property
    def is_over(self) -> bool:
        return self._skipped + self._version >= UPDATES

    def _event(self, step: int, at: str) -> Event:
        context = f"0d9c7b7e-93a3-4c62-8a55-{self.number:012d}"
        if step % ARTIFACT_EVERY == 0 and step < UPDATES:
            return ArtifactEvent(
                agent=self.agent,
                task_id=self.id,
                context_id=context,
                artifact_id="notes",
                name="Notes",
                parts=[{"text": f"{MESSAGES[step % len(MESSAGES)]} "}],
                append=step > ARTIFACT_EVERY and self._skipped == 0,
                last_chunk=False,
                received_at=at,
            )
        status, state = self._state(step)
        return TaskEvent(
            agent=self.agent,
            task_id=self.id,
            context_id=context,
            status=status,
            state=state,
            progress=min(100, step * 100 // UPDATES),
            message=f"{MESSAGES[(step // 4) % len(MESSAGES)]} ({step} of {UPDATES})",
            message_id=f"76a195f0-{self.number:08d}-{step:08d}",
            at=at,
            received_at=at,
        )

    def _state(self, step: int) -> tuple[str, str]:
        if step >= UPDATES:
            if self.number % FAILING_EVERY == 0:
                return "error", "TASK_STATE_FAILED"
            return "completed", "TASK_STATE_COMPLETED"
        if step == 1:
            return "submitted", "TASK_STATE_SUBMITTED"
        if self._asks and step > UPDATES // 2:
            return "input-required", "TASK_STATE_INPUT_REQUIRED"
        return "running", "TASK_STATE_WORKING"


def open_tasks() -> Iterator[Entry]:
    """Yield updates of sixty tasks in turn. A new task replaces each ended task."""
    tasks = [Task(slot, done=2 * slot) for slot in range(OPEN_TASKS)]
    for slot in cycle(range(OPEN_TASKS)):
        if tasks[slot].is_over:
            tasks[slot] = Task(slot)
        yield tasks[slot].next_entry(now())


def finished_tasks(tasks: int) -> Iterator[Entry]:
    """Yield the events of `tasks` finished tasks, three updates each."""
    start = now() - timedelta(seconds=FINISHED_WITHIN_S)
    for number in range(tasks):
        at = start + timedelta(seconds=FINISHED_WITHIN_S * number / tasks)
        task = Task(len(ASKING) + number % (OPEN_TASKS - len(ASKING)))
        yield task.next_entry(at)
        yield task.next_entry(at + timedelta(seconds=0.2))
        yield task.last_entry(at + timedelta(seconds=0.5 + number % 7))


def agents() -> Iterator[Entry]:
    for name in AGENTS:
        event = AgentEvent(
            agent=name,
            url=f"http://127.0.0.1:8001/{name}",
            connection="connected",
            title=name.title(),
            description="Sends many updates for a benchmark",
            version="1.0",
            binding="JSONRPC",
            protocol="1.0",
            followed="streaming",
            discovery="every task",
            skills=[Skill("play", "Play", "Plays", ["Play something"])],
            received_at=f"{now():%Y-%m-%dT%H:%M:%S}.000Z",
        )
        yield Entry.of(name, 1, event)


def now() -> datetime:
    return datetime.now(timezone.utc)


class Order(msgspec.Struct):
    """The body of `POST /bench`: a new rate, or a number of events or tasks at once."""

    rate: float | None = None
    events: int = 0
    finished: int = 0


class BenchHost:
    """The host as an ASGI app, with the benchmark's events.

    `static` holds the page's static files, if not those of this clone.
    """

    def __init__(self, host: Host, static: Path | None) -> None:
        self._host = host
        self._page = create_dashboard(static=static) if static else host
        self._open_tasks = open_tasks()
        self._rate = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            async with anyio.create_task_group() as group:
                group.start_soon(self._play)
                await self._host(scope, receive, send)
                group.cancel_scope.cancel()
        elif scope["path"] == "/bench":
            order = msgspec.json.decode(
                await Request(scope, receive).body(), type=Order
            )
            response = JSONResponse(await self._append_ordered(order))
            await response(scope, receive, send)
        elif scope["path"] == "/" or scope["path"].startswith("/static/"):
            await self._page(scope, receive, send)
        else:
            await self._host(scope, receive, send)

    def stop(self) -> None:
        self._host.stop()

    async def _append_ordered(self, order: Order) -> dict[str, Any]:
        if order.rate is not None:
            self._rate = order.rate
        await self._append(islice(self._open_tasks, order.events))
        await self._append(finished_tasks(order.finished))
        return {"head": self._host.feed.head}

    async def _play(self) -> None:
        """Append events one by one, at the current rate."""
        await self._append(agents())
        at = time.monotonic()
        while True:
            # Catches up after a delay of up to 1 s, but not after a change of the rate.
            at = max(at, time.monotonic() - 1)
            if self._rate and at <= time.monotonic():
                at += 1 / self._rate
                await self._append(islice(self._open_tasks, 1))
            await asyncio.sleep(0 if self._rate and at <= time.monotonic() else 0.001)

    async def _append(self, entries: Iterator[Entry]) -> None:
        while batch := list(islice(entries, BATCH)):
            await self._host.feed.append(batch)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--static", type=Path)
    given = parser.parse_args()
    config = Config(
        host="127.0.0.1",
        port=given.port,
        data_dir=given.data_dir,
        log="sqlite",
        keep_events=KEEP_EVENTS,
        keep_s=None,
        agents={},
    )
    log = SqliteLog(config.data_dir / "feed.db")
    serve(BenchHost(Host(config, log), given.static), listen(config))


if __name__ == "__main__":
    main()
