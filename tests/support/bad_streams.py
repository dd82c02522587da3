"""Agents with harmful cards, responses or streams: endless, huge, slow or broken.

`python -m tests.support.bad_streams PORT` serves all of them, each under its own path,
for test_host_bad_streams.py and bench/bad_agent.py.
"""

from __future__ import annotations

import asyncio
import gzip
import sys
import time

from tests.support.costly_agents import Endless, create_costly_agents
from tests.support.one_task_agent import PING_S, OneTaskAgent
from tests.support.raw_agent import SSE, Exchange, Json, serve, status

PER_S = 20_000
TICK_S = 0.005
BURST = 30_000
MANY_TASKS = 5_000
MB = 1024 * 1024
CHUNK = b"x" * 65_536
RESUMABLE = "https://courtside.dev/extensions/resumable-stream/v1"


class NeverSends(OneTaskAgent):
    """Accepts a subscription and never sends a byte of the response."""

    async def subscribe(self, exchange: Exchange) -> None:
        await exchange.until_gone()


class Flood(OneTaskAgent):
    """Sends `PER_S` updates a second, for ever or until update number `last`.

    The numbers of the updates have no hole: a client that does not read slows the
    agent down. Each number is in the text. With `numbered` it is in the metadata too.
    """

    def __init__(self, last: int | None = None, *, numbered: bool = False) -> None:
        super().__init__()
        self._last = last
        self._numbered = numbered

    async def stream(self, exchange: Exchange) -> None:
        at = time.monotonic()
        while not self.over:
            left = int(PER_S * TICK_S)
            if self._last:
                left = min(left, self._last - self.number)
                self.over = left == 0
            await exchange.send(self._batch(exchange, max(left, 1)))
            at = max(at + TICK_S, time.monotonic())
            await asyncio.sleep(at - time.monotonic())

    def _batch(self, exchange: Exchange, count: int) -> bytes:
        """Return the next updates. Copies of one sample cost 2 µs each, not 20."""
        before = self.number
        sample = exchange.event(self.update("update MARK"))
        sample = sample.replace(f'"m{self.number}"'.encode(), b'"mMARK"')
        if self._numbered:
            meta = b'"metadata": {"%b": {"sequence": MARK}}, "taskId"'
            sample = sample.replace(b'"taskId"', meta % RESUMABLE.encode())
            sample = b"id: MARK\n" + sample
        self.number = before + count
        message = status(f"update {self.number}", self.number)["message"]
        self.status = {**self.status, "message": message}
        numbers = range(before + 1, self.number + 1)
        return b"".join(sample.replace(b"MARK", b"%d" % n) for n in numbers)

    def task(self) -> Json:
        task = super().task()
        if self._numbered:
            task["metadata"] = {RESUMABLE: {"sequence": self.number}}
        return task


class BadEvent(OneTaskAgent):
    """Sends something invalid between two good updates."""

    def __init__(self, *bad: bytes) -> None:
        super().__init__()
        self._bad = bad

    async def stream(self, exchange: Exchange) -> None:
        await exchange.send(exchange.event(self.update("before")))
        for part in self._bad:
            await exchange.send(part)
        await exchange.send(exchange.event(self.update("after")))
        await exchange.until_gone(PING_S)


class Huge(BadEvent):
    """Sends an event of 50 MB between two good ones."""

    async def stream(self, exchange: Exchange) -> None:
        event = exchange.event(self.update("MARK"))
        self._bad = (event.replace(b"MARK", b"x" * 50 * MB),)
        await super().stream(exchange)


class Heavy(OneTaskAgent):
    """Sends updates of 3 MB, as fast as the client reads. Each is within the limit."""

    async def stream(self, exchange: Exchange) -> None:
        event = exchange.event(self.update("x" * 3 * MB))
        mark = f'"m{self.number}"'.encode()
        while True:
            self.number += 1
            await exchange.send(event.replace(mark, b'"m%d"' % self.number, 1))


class ManyTasks(OneTaskAgent):
    """Has `MANY_TASKS` open tasks, which never change."""

    async def call(self, exchange: Exchange) -> None:
        if exchange.method != "ListTasks":
            return await super().call(exchange)
        start = int(exchange.params.get("pageToken") or 0)
        end = start + exchange.params.get("pageSize", 50)
        tasks = [
            {**self.task(), "id": f"t{n}"} for n in range(start, min(end, MANY_TASKS))
        ]
        more = str(end) if end < MANY_TASKS else ""
        await exchange.result({"tasks": tasks, "nextPageToken": more})


class WrongEncoding(OneTaskAgent):
    """Sends Latin-1 instead of UTF-8."""

    async def stream(self, exchange: Exchange) -> None:
        await exchange.send(exchange.event(self.update("before")))
        event = exchange.event(self.update("caf_"))
        await exchange.send(event.replace(b"caf_", b"caf\xe9"))
        await exchange.send(exchange.event(self.update("after")))
        await exchange.until_gone(PING_S)


class WrongType(OneTaskAgent):
    """Sends a web page instead of a stream."""

    async def subscribe(self, exchange: Exchange) -> None:
        await exchange.answer(b"<html>Welcome!</html>", kind="text/html")


class ServerError(OneTaskAgent):
    """Answers every call with HTTP 500."""

    async def call(self, exchange: Exchange) -> None:
        await exchange.answer(b"Internal Server Error", 500, "text/plain")

    subscribe = call


class RedirectLoop(OneTaskAgent):
    """Redirects every call to itself."""

    async def call(self, exchange: Exchange) -> None:
        await exchange.head(SSE, 307, f"Location: {exchange.url}\r\n")

    subscribe = call


class HugeCard(OneTaskAgent):
    """Sends a card of 100 MB without a Content-Length."""

    async def card(self, exchange: Exchange) -> None:
        await exchange.head("application/json")
        await exchange.send(b'{"name": "')
        for _ in range(100 * MB // len(CHUNK)):
            await exchange.send(CHUNK)
        await exchange.send(b'"}')


class GzipCard(OneTaskAgent):
    """Sends a card of 100 kB that unpacks to 100 MB. It ignores Accept-Encoding."""

    async def card(self, exchange: Exchange) -> None:
        packed = gzip.compress(b'{"name": "%b"}' % (b"x" * 100 * MB), 1)
        await exchange.head("application/json", 200, "Content-Encoding: gzip\r\n")
        await exchange.send(packed)


class SlowCard(OneTaskAgent):
    """Sends a card one byte at a time, each within the read timeout."""

    async def card(self, exchange: Exchange) -> None:
        await exchange.head("application/json")
        while True:
            await exchange.send(b" ")
            await asyncio.sleep(0.5)


class HugeList(OneTaskAgent):
    """Answers every call with 100 MB."""

    async def call(self, exchange: Exchange) -> None:
        await exchange.head("application/json")
        for _ in range(100 * MB // len(CHUNK)):
            await exchange.send(CHUNK)


def create_agents() -> dict[str, OneTaskAgent]:
    return {
        "plain": OneTaskAgent(),
        "mum": NeverSends(),
        "flood": Flood(),
        "burst": Flood(BURST),
        "numberedburst": Flood(BURST, numbered=True),
        "huge": Huge(),
        "heavy": Heavy(),
        "swarm": ManyTasks(),
        "endless": Endless(b"data: ", CHUNK),
        "chatter": Endless(b"", b": still here\n\n" * 5_000),
        "binary": WrongEncoding(),
        "garbled": BadEvent(b'data: {"jsonrpc": "2.0", "result": {\n\n'),
        "foreign": BadEvent(b'data: {"jsonrpc": "2.0", "id": 1, "result": [5]}\n\n'),
        "wrongtype": WrongType(),
        "http500": ServerError(),
        "loop": RedirectLoop(),
        "hugecard": HugeCard(),
        "packedcard": GzipCard(),
        "slowcard": SlowCard(),
        "hugelist": HugeList(),
        **create_costly_agents(),
    }


NAMES = tuple(create_agents())


async def main() -> None:
    bad_agents = create_agents()
    await serve(int(sys.argv[1]), lambda x: bad_agents[x.name].handle(x))


if __name__ == "__main__":
    asyncio.run(main())
