"""Follows one task of an agent whose updates are scripted by the test.

The feed is real, on a memory log. Only the connection is scripted.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any, cast

import anyio
from a2a.utils.errors import TaskNotFoundError

from host.clients.bindings.types import Batch, Update
from host.clients.connection import Connection
from host.errors import AgentUnreachable
from host.feed.feed import Feed
from host.following.follower import Follower
from host.log.memory_log import MemoryLog
from host.merging.agent_row import AgentRow
from host.model.event import Event, GapEvent, TaskEvent, decode
from host.model.filter import ALL
from host.protocol.a2a_objects import RESUMABLE
from host.protocol.a2a_parser import parse_response
from host.protocol.artifact_record import RecordMemory
from host.protocol.gaps import HOST_WAS_AWAY

Json = dict[str, Any]
Step = Update | Batch | Exception


def make_update(body: Json) -> Update:
    raw = json.dumps(body).encode()
    return Update(parse_response(raw), raw)


def _message(text: str) -> Json:
    return {"messageId": text, "role": "ROLE_AGENT", "parts": [{"text": text}]}


def make_status(state: str, text: str) -> Json:
    return {"state": f"TASK_STATE_{state}", "message": _message(text)}


def _number(sequence: int | None) -> Json:
    return {"metadata": {RESUMABLE: {"sequence": sequence}}} if sequence else {}


def status(state: str, text: str, sequence: int | None = None) -> Update:
    """A status update."""
    body = {"taskId": "t1", "contextId": "c1", "status": make_status(state, text)}
    return make_update({"statusUpdate": body | _number(sequence)})


def chunk(text: str, sequence: int | None = None) -> Update:
    """An artifact update that appends."""
    artifact = {"artifactId": "a", "parts": [{"text": text}]}
    body = {"taskId": "t1", "contextId": "c1", "artifact": artifact, "append": True}
    return make_update({"artifactUpdate": body | _number(sequence)})


def task(state: str, text: str, *earlier: str, sequence: int | None = None) -> Update:
    """A Task, with the texts of its earlier messages."""
    history = [_message(words) for words in earlier]
    body = {"id": "t1", "status": make_status(state, text), "history": history}
    return make_update({"task": body | _number(sequence)})


class ScriptedConnection:
    """Returns streams and results of GetTask from lists."""

    can_stream = True

    def __init__(
        self, streams: list[list[Step]], tasks: list[Update], resumable: bool = False
    ) -> None:
        self.streams = streams
        self.tasks = tasks
        self.is_resumable = resumable
        self.can_subscribe = True
        self.asked: list[int | None] = []
        self.stream_slots = anyio.Semaphore(1)

    async def wait_to_open(self) -> None: ...

    async def subscribe(
        self, task_id: str, after: int | None = None
    ) -> AsyncGenerator[Batch, None]:
        self.asked.append(after)
        if not self.streams:
            raise AgentUnreachable("refused: nothing listens there")
        for step in self.streams.pop(0):
            if isinstance(step, Exception):
                raise step
            yield step if isinstance(step, Batch) else Batch([step])

    async def get_task(self, task_id: str) -> Update:
        if not self.tasks:
            raise TaskNotFoundError
        return self.tasks.pop(0)


class FakeAgentRow:
    """Writes no row."""

    name = "carly"
    left_out = 0

    def __init__(self) -> None:
        self.troubles: list[str] = []

    async def set_connected(self, connection: Connection) -> None: ...

    async def report_trouble(self, trouble: str) -> None:
        self.troubles.append(trouble)


def make_follower(
    connection: ScriptedConnection, feed: Feed, memory: RecordMemory | None = None
) -> Follower:
    real, agent_row = cast(Connection, connection), cast(AgentRow, FakeAgentRow())
    return Follower("t1", real, feed, agent_row, HOST_WAS_AWAY, memory=memory)


async def follow(
    connection: ScriptedConnection,
    feed: Feed | None = None,
    memory: RecordMemory | None = None,
) -> list[Event]:
    """Follow the task to its end. Return the feed's events."""
    feed = feed or Feed(MemoryLog())
    await feed.open()
    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        with anyio.fail_after(60):
            await make_follower(connection, feed, memory).run()
        feed.close()
    return await read_events(feed)


async def read_events(feed: Feed) -> list[Event]:
    return [decode(row.body) for row in await feed.history(0, None, 100, ALL)]


def summarize(events: list[Event]) -> list[str]:
    """Return `status message` for each row, and `gap` or `gap COUNT` for each gap."""
    lines = []
    for event in events:
        if isinstance(event, GapEvent):
            has_count = isinstance(event.missing, int)
            lines.append(f"gap {event.missing}" if has_count else "gap")
        elif isinstance(event, TaskEvent):
            lines.append(f"{event.status} {event.message}")
    return lines
