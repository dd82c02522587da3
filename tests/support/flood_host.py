"""The real host, with producers of numbered updates instead of its collectors.

`python -m tests.support.flood_host --port P --data-dir D --rate R` appends R updates a
second to the log in D until SIGTERM. Then it prints how many it gave to the feed.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import sys
import time
from pathlib import Path

import anyio
from starlette.types import Receive, Scope, Send

from host.app import Host
from host.config.load import Config
from host.feed.commit_queue import FeedClosed
from host.log.contract import Entry
from host.log.sqlite_log import SqliteLog
from host.model.event import ArtifactEvent, Event, TaskEvent
from host.server import listen, serve

TASKS = 20
AGENTS = ("carly", "walter")
ARTIFACT_EVERY = 5
"""Every fifth update is an artifact event, which /tasks/stream leaves out."""
REPEATED = 3
"""Updates that a producer repeats at its start, because they may be lost."""
LOG = "feed.db"
KEEP_EVENTS = 10_000_000
RAW = b'{"statusUpdate":{"text":"%b"}}' % (b"y" * 300)


def entry_of(task: int, number: int, raw: bytes | None = RAW) -> Entry:
    """Update `number` (1, 2, 3 …) of task `task` (0 to TASKS - 1)."""
    agent, task_id = AGENTS[task % len(AGENTS)], f"task-{task:02d}"
    return Entry.of(f"{agent}/{task_id}", number, _event(agent, task_id, number), raw)


def _event(agent: str, task_id: str, number: int) -> Event:
    received_at = "2026-11-22T12:00:00.124Z"
    if number % ARTIFACT_EVERY == 0:
        return ArtifactEvent(
            agent=agent,
            task_id=task_id,
            context_id=None,
            artifact_id="notes",
            name=None,
            parts=[{"text": f"update {number}"}],
            append=True,
            last_chunk=False,
            received_at=received_at,
        )
    return TaskEvent(
        agent=agent,
        task_id=task_id,
        context_id="0d9c7b7e-93a3-4c62-8a55-6b1a5be3f2aa",
        status="running",
        state="TASK_STATE_WORKING",
        progress=None,
        message=f"update {number}",
        message_id=f"76a195f0-8e34-458e-8ce7-{number:012d}",
        at="2026-11-22T12:00:00.123456Z",
        received_at=received_at,
    )


class Flooded:
    """The host as an ASGI application. Its producers run as long as the host."""

    def __init__(self, host: Host, rate: float) -> None:
        self._host = host
        self._rate = rate
        self._given = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            return await self._host(scope, receive, send)
        async with anyio.create_task_group() as group:
            if self._rate:
                for task in range(TASKS):
                    group.start_soon(self._produce, task)
            await self._host(scope, receive, send)
            group.cancel_scope.cancel()
        sys.stderr.write(f"given={self._given}\n")

    def stop(self) -> None:
        self._host.stop()

    async def _produce(self, task: int) -> None:
        """Append all updates that are due by a fixed schedule, in one batch."""
        feed = self._host.feed
        known = await feed.high_water(entry_of(task, 1).source)
        number = first = max(known - REPEATED, 0) + 1
        pause_s = TASKS / self._rate
        start = time.monotonic() + task / self._rate
        while True:
            due = first + int((time.monotonic() - start) / pause_s)
            entries = [entry_of(task, n) for n in range(number, due)]
            if entries:
                try:
                    done = feed.submit(entries)
                except FeedClosed:
                    return
                self._given += len(entries)
                await done
                number = due
            next_at = start + (number + 1 - first) * pause_s
            await asyncio.sleep(max(next_at - time.monotonic(), 0))


class RelaxedLog(SqliteLog):
    """A log that syncs too rarely. For power cut tests and for speed."""

    def __init__(self, path: Path, synchronous: str) -> None:
        super().__init__(path)
        db: sqlite3.Connection = self._writer
        db.execute(f"PRAGMA synchronous = {synchronous}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--rate", type=float, required=True, help="updates a second")
    parser.add_argument("--synchronous", choices=("OFF", "NORMAL"))
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
    path = config.data_dir / LOG
    log = RelaxedLog(path, given.synchronous) if given.synchronous else SqliteLog(path)
    serve(Flooded(Host(config, log), given.rate), listen(config))


if __name__ == "__main__":
    main()
