"""The kinds of model agents, and their responses over the wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Literal, NamedTuple

from tests.support.model_task import to_v03

Json = dict[str, Any]
Start = Literal["fresh", "late", "nothing", "stale", "refused"]


class AgentKind(NamedTuple):
    """How an agent behaves.

    `start` says how its subscriptions begin: with the Task as it is (`late`: read after
    the subscription is open, so that updates are in both), with nothing, or with the
    first state of the Task. Or the agent has no subscriptions. `ages` and `delays_ms`
    are for one GetTask or one stream after the other, again and again: how many updates
    the Task is old, and how long each update takes.
    """

    version: Literal["1.0", "0.3"] = "1.0"
    start: Start = "fresh"
    can_list: bool = True
    can_get: bool = True
    is_numbered: bool = False
    ends_at_questions: bool = False
    replies_with_task: bool = True
    joins_texts: bool = False
    ages: tuple[int, ...] = (0,)
    delays_ms: tuple[int, ...] = (0,)


class Cut(NamedTuple):
    """Breaks the streams after `size` bytes of an event: as an error, or as an end."""

    size: int
    is_clean: bool


class Exchange:
    """One JSON-RPC request, and its response."""

    def __init__(
        self,
        kind: AgentKind,
        call: Json,
        headers: dict[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.params: Json = call["params"]
        self.headers = headers
        self.writer = writer
        self.reader = reader
        self._is_v03 = kind.version == "0.3"
        self._id = call["id"]

    def answer(self, result: Json) -> None:
        write_json(self.writer, {"jsonrpc": "2.0", "id": self._id, "result": result})

    def refuse(self, code: int) -> None:
        error = {"code": code, "message": "refused"}
        write_json(self.writer, {"jsonrpc": "2.0", "id": self._id, "error": error})

    def event(self, response: Json) -> bytes:
        result = to_v03(response) if self._is_v03 else response
        body = {"jsonrpc": "2.0", "id": self._id, "result": result}
        return b"data: %b\n\n" % json.dumps(body).encode()


class UpdateStream:
    """A stream of server-sent events, in which everything takes `delay_s`."""

    def __init__(self, exchange: Exchange, delay_s: float) -> None:
        self._exchange = exchange
        self._delay_s = delay_s
        self._queue: asyncio.Queue[tuple[float, bytes, str]] = asyncio.Queue()
        self.is_ending = False

    def put(self, updates: Sequence[Json], cut: Cut | None = None) -> None:
        events = [self._exchange.event(update) for update in updates]
        data, then = b"".join(events), ""
        if cut:
            # Within the last event: the others of the burst are whole.
            last = len(events[-1]) if events else 0
            data = data[: len(data) - last + cut.size % (last + 1)]
            then = "end" if cut.is_clean else "abort"
        self._put(data, then)

    def put_end(self) -> None:
        self._put(b"", "end")

    def _put(self, data: bytes, then: str) -> None:
        self.is_ending |= bool(then)
        due = asyncio.get_running_loop().time() + self._delay_s
        self._queue.put_nowait((due, data, then))

    async def run(self, read: Callable[[], Sequence[Json]]) -> None:
        """Send what `read` returns, then what was put, until one side leaves."""
        leaving = asyncio.create_task(self._wait_until_left())
        try:
            await self._send(read)
        finally:
            leaving.cancel()

    async def _wait_until_left(self) -> None:
        with suppress(OSError):
            await self._exchange.reader.read()
        self._put(b"", "abort")

    async def _send(self, read: Callable[[], Sequence[Json]]) -> None:
        writer = self._exchange.writer
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        )
        await asyncio.sleep(self._delay_s)
        first = b"".join(self._exchange.event(update) for update in read())
        data, then = first, ""
        while True:
            if data:
                writer.write(b"%x\r\n%b\r\n" % (len(data), data))
                await writer.drain()
            if then == "end":
                writer.write(b"0\r\n\r\n")
                return
            if then == "abort":
                writer.transport.abort()
                return
            due, data, then = await self._queue.get()
            await asyncio.sleep(due - asyncio.get_running_loop().time())


def write_json(writer: asyncio.StreamWriter, body: Json) -> None:
    data = json.dumps(body).encode()
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(data), data)
    )
