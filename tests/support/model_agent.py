"""A model agent: an A2A agent in the test's process that does what a test tells it.

It behaves like one of many third-party agents, as its `AgentKind` says. It speaks over
real sockets, can cut its streams at any byte, and can restart.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import cycle, islice
from typing import Any

from host.protocol.a2a_objects import RESUMABLE
from tests.support.model_task import ASKS, Clock, ModelTask, to_v03
from tests.support.model_wire import (
    AgentKind,
    Cut,
    Exchange,
    UpdateStream,
    write_json,
)

Json = dict[str, Any]
NOT_FOUND, UNSUPPORTED, UNKNOWN_METHOD = -32001, -32004, -32601
INVALID_PARAMS, UPDATES_GONE = -32602, -31410
INTERNAL_ERROR = -32603
CARD = "/.well-known/agent-card.json"
V10_NAMES = {
    "message/stream": "SendStreamingMessage",
    "tasks/resubscribe": "SubscribeToTask",
    "tasks/get": "GetTask",
}


class ModelAgent:
    """Serves `tasks` within `serving`. The test changes them and calls `publish`."""

    def __init__(self, kind: AgentKind) -> None:
        self.kind = kind
        self.tasks: dict[str, ModelTask] = {}
        self.received: set[str] = set()
        self.open_streams: dict[str, list[UpdateStream]] = {}
        self.port = 0
        self.errors: list[str] = []
        self._clock = Clock()
        self._ages = cycle(kind.ages)
        self._delays_ms = cycle(kind.delays_ms)
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        await self._listen()
        try:
            yield
        finally:
            await self._close()

    async def restart(self, away_s: float, *, keeps_store: bool) -> None:
        """Break all connections, and refuse new ones for `away_s`."""
        await self._close()
        if not keeps_store:
            for task in self.tasks.values():
                task.is_lost = True
            self.tasks.clear()
        await asyncio.sleep(away_s)
        await self._listen()

    def add_task(self, task_id: str) -> ModelTask:
        task = self.tasks[task_id] = ModelTask(
            task_id,
            self._clock,
            is_numbered=self.kind.is_numbered,
            joins_texts=self.kind.joins_texts,
        )
        return task

    def publish(
        self,
        task: ModelTask,
        updates: Sequence[Json],
        *,
        cut: Cut | None = None,
        goes_on: bool = False,
    ) -> None:
        """Send updates in one write to each of the task's streams.

        A `cut` breaks all streams within it, those of other tasks before it. The
        streams end after the end of the task unless it `goes_on`.
        """
        ends = task.state == ASKS and self.kind.ends_at_questions
        ends |= task.has_ended and not goes_on
        for task_id, streams in self.open_streams.items():
            mine = updates if task_id == task.id else ()
            for stream in list(streams):
                if mine or cut:
                    stream.put(mine, cut=cut)
                if ends and mine:
                    stream.put_end()

    # The server.

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, backlog=256
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server:
            self._server.close()
        connections = dict(self._connections)
        for serving, writer in connections.items():
            writer.transport.abort()
            serving.cancel()
        if connections:
            await asyncio.wait(connections)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        serving = asyncio.current_task()
        assert serving
        self._connections[serving] = writer
        try:
            await self._answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # The host has left, or the agent restarts.
        except Exception as error:
            self.errors.append(f"the model agent failed: {error!r}")
        finally:
            del self._connections[serving]
            writer.close()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        request, *lines = head.strip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if not body:
            is_card = request.split()[1] == CARD
            write_json(writer, self._build_card() if is_card else {})
            return
        call = json.loads(body)
        method = V10_NAMES.get(call["method"], call["method"])
        exchange = Exchange(self.kind, call, headers, reader, writer)
        if method == "SendStreamingMessage":
            await self._answer_message(exchange)
        elif method == "SubscribeToTask":
            await self._answer_subscription(exchange)
        elif method == "GetTask":
            await self._answer_get(exchange)
        elif method == "ListTasks" and self.kind.can_list:
            exchange.answer(self._list_tasks(exchange.params))
        else:
            exchange.refuse(UNKNOWN_METHOD)
        await writer.drain()

    # The operations.

    async def _answer_message(self, exchange: Exchange) -> None:
        message = exchange.params["message"]
        task = self.tasks.get(message.get("taskId", ""))
        if message.get("taskId") and not task:
            exchange.refuse(NOT_FOUND)
            return
        self.received.add(message["messageId"])
        first: Sequence[Json] = ()
        if task is None:
            # The text of the first message names the task.
            task = self.add_task(message["parts"][0]["text"])
            first = [task.updates[0]]
        elif self.kind.replies_with_task and not self.kind.is_numbered:
            first = [{"task": task.read()}]
        task.take_message(message)
        await self._stream(exchange, task, lambda: first)

    async def _answer_subscription(self, exchange: Exchange) -> None:
        task = self.tasks.get(exchange.params["id"])
        start = self.kind.start
        after = exchange.headers.get("last-event-id")
        if start == "refused":
            exchange.refuse(
                UNKNOWN_METHOD if self.kind.version == "1.0" else UNSUPPORTED
            )
        elif task is None:
            exchange.refuse(NOT_FOUND)
        elif self.kind.is_numbered and after is not None:
            if int(after) > len(task.updates):
                exchange.refuse(UPDATES_GONE)
                return
            missed = task.updates[int(after) :]
            await self._stream(exchange, task, lambda: missed)
        elif task.has_ended:
            exchange.refuse(
                UNSUPPORTED if self.kind.version == "1.0" else INVALID_PARAMS
            )
        elif start == "late":
            await self._stream(exchange, task, lambda: [{"task": task.read()}])
        else:
            age = 0 if start == "fresh" else len(task.updates)
            first = [] if start == "nothing" else [{"task": task.read(age)}]
            await self._stream(exchange, task, lambda: first)

    async def _stream(
        self, exchange: Exchange, task: ModelTask, read: Callable[[], Sequence[Json]]
    ) -> None:
        """Send what `read` returns after the stream's delay, then all updates."""
        stream = UpdateStream(exchange, next(self._delays_ms) / 1_000)
        if task.has_ended:
            stream.put_end()
        streams = self.open_streams.setdefault(task.id, [])
        streams.append(stream)
        try:
            await stream.run(read)
        finally:
            streams.remove(stream)

    async def _answer_get(self, exchange: Exchange) -> None:
        task = self.tasks.get(exchange.params["id"])
        if task is None or not self.kind.can_get:
            exchange.refuse(INTERNAL_ERROR if task else NOT_FOUND)
            return
        read = task.read(next(self._ages))
        await asyncio.sleep(next(self._delays_ms) / 1_000)
        exchange.answer(read if self.kind.version == "1.0" else to_v03({"task": read}))

    def _list_tasks(self, params: Json) -> Json:
        listed = []
        for task in reversed(self.tasks.values()):
            if params.get("status", task.state) == task.state:
                whole = task.read()
                status = {**whole["status"]}
                listed.append({"id": task.id, "contextId": "c", "status": status})
        listed = list(islice(listed, int(params.get("pageSize", 50))))
        size = len(listed)
        return {
            "tasks": listed,
            "nextPageToken": "",
            "pageSize": size,
            "totalSize": size,
        }

    def _build_card(self) -> Json:
        extensions = [{"uri": RESUMABLE}] if self.kind.is_numbered else []
        card: Json = {
            "name": "Model",
            "description": "Does what a test tells it.",
            "version": "1",
            "capabilities": {"streaming": True, "extensions": extensions},
            "defaultInputModes": ["text/plain"],
            "defaultOutputModes": ["text/plain"],
            "skills": [{"id": "s", "name": "S", "description": "S.", "tags": ["s"]}],
        }
        binding, version = "JSONRPC", self.kind.version
        if version == "0.3":
            return {
                **card,
                "url": self.url,
                "preferredTransport": binding,
                "protocolVersion": "0.3.0",
            }
        interface = {"url": self.url, "protocolBinding": binding}
        return {
            **card,
            "supportedInterfaces": [{**interface, "protocolVersion": version}],
        }
