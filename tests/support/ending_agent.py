"""An agent with one task, which ends on a stream, in GetTask, or in ListTasks.

It runs on real sockets in the loop of the test, and a real collector follows it.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import anyio
from a2a.types import a2a_pb2 as pb

from host.config.agent_settings import AgentSettings
from host.feed.feed import Feed
from host.following.collector import Collector
from host.log.memory_log import MemoryLog
from host.model.event import Event, TaskEvent, decode
from host.model.filter import Filter
from host.model.timestamps import now
from host.protocol.a2a_objects import RESUMABLE
from tests.support.harness import free_port
from tests.support.raw_agent import Exchange, Json, card, serve
from tests.support.waiting import wait_until

TASK = "t1"
LATE = "late"
Script = Callable[[Exchange], Awaitable[None]]


class EndingAgent:
    """`scripts` answer the methods; SendStreamingMessage starts the task by default.

    `finish` ends the task. Its artifact comes `late_s` later.
    """

    def __init__(self, late_s: float = 0.2, *, is_numbered: bool = False) -> None:
        self.late_s = late_s
        self.is_streaming = True
        self.is_numbered = is_numbered
        self.calls: Counter[str] = Counter()
        self.scripts: dict[str, Script] = {"SendStreamingMessage": self.start}
        self.task: Json = {"id": TASK, "contextId": "c", "history": []}
        self.number = 0
        self.set_state("WORKING")

    async def handle(self, exchange: Exchange) -> None:
        method = exchange.method
        self.calls[method] += 1
        if not method:
            await exchange.answer(json.dumps(self._card(exchange.url)).encode())
        elif method in self.scripts:
            await self.scripts[method](exchange)
        elif method == "SendMessage":
            await exchange.result({"task": self.task})
        elif method == "GetTask" and exchange.params["id"] == TASK:
            await exchange.result(self.task)
        else:
            await exchange.refuse(-32601, "no such method")

    def _card(self, url: str) -> Json:
        shown = card("agent", url, streaming=self.is_streaming)
        if self.is_numbered:
            shown["capabilities"]["extensions"] = [{"uri": RESUMABLE}]
        return shown

    # The task.

    def set_state(self, state: str, message: Json | None = None) -> Json:
        """Return the status update."""
        status: Json = {"state": f"TASK_STATE_{state}", "timestamp": now()}
        if message:
            status["message"] = message
        self.task = {**self.task, "status": status}
        return self._update("statusUpdate", {"status": status})

    def add_artifact(self, text: str = LATE) -> Json:
        """Return the artifact update."""
        artifact = {"artifactId": text, "parts": [{"text": text}]}
        self.task = {**self.task, "artifacts": [artifact]}
        return self._update("artifactUpdate", {"artifact": artifact})

    def finish(self) -> Json:
        """End the task. Store the artifact later. Return the status update."""
        update = self.set_state("COMPLETED")
        asyncio.get_running_loop().call_later(self.late_s, self.add_artifact)
        return update

    def _update(self, kind: str, body: Json) -> Json:
        self.number += 1
        if self.is_numbered:
            metadata = {RESUMABLE: {"sequence": self.number}}
            self.task = {**self.task, "metadata": metadata}
            body = {**body, "metadata": metadata}
        return {kind: {"taskId": TASK, "contextId": "c", **body}}

    # Scripts.

    async def start(self, exchange: Exchange) -> None:
        """The response has the Task, and ends."""
        await exchange.head()
        await self.send(exchange, {"task": self.task})

    async def send(self, exchange: Exchange, update: Json) -> None:
        await exchange.send(exchange.event(json.dumps(update).encode()))

    async def list_task(self, exchange: Exchange) -> None:
        listed = {key: self.task[key] for key in ("id", "contextId", "status")}
        await exchange.result({"tasks": [listed]})


class FollowedAgent:
    """The feed of a host that follows the agent."""

    def __init__(self, log: MemoryLog, collector: Collector) -> None:
        self.log = log
        self.collector = collector

    async def start(self) -> None:
        part = pb.Part(text="please")
        message = pb.Message(message_id="m", role=pb.ROLE_USER, parts=[part])
        await self.collector.send(pb.SendMessageRequest(message=message))

    async def events(self, task_id: str = TASK) -> list[Event]:
        where = Filter(task=frozenset([task_id]))
        return [decode(row.body) for row in await self.log.read(0, 10_000, where)]

    async def agent_events(self) -> list[Event]:
        where = Filter(kind=frozenset(["agent"]))
        return [decode(row.body) for row in await self.log.read(0, 10_000, where)]

    async def rows(self) -> list[TaskEvent]:
        return [e for e in await self.events() if isinstance(e, TaskEvent)]

    async def wait_for_end(self) -> TaskEvent:
        async def last_row() -> TaskEvent | None:
            rows = await self.rows()
            return rows[-1] if rows and not rows[-1].is_open else None

        row = await wait_until(last_row, "the end of the task", 60)
        assert row
        return row


@asynccontextmanager
async def follow_agent(
    handle: Script, log: MemoryLog | None = None, poll_s: float = 0.1
) -> AsyncIterator[FollowedAgent]:
    """Serve an agent, and run a collector that has connected to it."""
    port, log = free_port(), log or MemoryLog()
    feed = Feed(log)
    await feed.open()
    settings = AgentSettings(f"http://127.0.0.1:{port}/agent", poll_s=poll_s)
    collector = Collector("agent", settings, feed)
    async with anyio.create_task_group() as group:
        group.start_soon(serve, port, handle)
        await _wait_for_port(port)
        group.start_soon(feed.write)
        group.start_soon(collector.run)
        yield FollowedAgent(log, collector)
        group.cancel_scope.cancel()


async def _wait_for_port(port: int) -> None:
    with anyio.fail_after(30):
        while True:
            with suppress(OSError):
                stream = await anyio.connect_tcp("127.0.0.1", port)
                await stream.aclose()
                return
            await anyio.sleep(0.01)
