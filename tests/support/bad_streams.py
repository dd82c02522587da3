"""Bad agents that begin well: their cards, calls or streams are the trouble.

`python -m tests.support.bad_streams PORT` plays them all, each under a path of its
own; test_host_bad_streams.py and bench/bad_agent.py point a host at them.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import time

from tests.support.raw_agent import SSE, Exchange, Json, card, serve, status

PER_S = 20_000
TICK_S = 0.005
PING_S = 10.0
BURST = 30_000
SWARM = 5_000
MB = 1024 * 1024
CHUNK = b"x" * 65_536
RESUMABLE = "https://courtside.dev/extensions/resumable-stream/v1"


class OneTaskAgent:
    """A good one with one open task; each of the others does one thing worse."""

    def __init__(self) -> None:
        self.number = 1  # Of the task's last update.
        self.over = False
        self.status = status("update 1", 1)

    async def handle(self, exchange: Exchange) -> None:
        if not exchange.method:
            await self.card(exchange)
        elif exchange.method == "SubscribeToTask":
            await self.subscribe(exchange)
        else:
            await self.call(exchange)

    async def card(self, exchange: Exchange) -> None:
        await exchange.answer(json.dumps(card(exchange.name, exchange.url)).encode())

    async def call(self, exchange: Exchange) -> None:
        if exchange.method == "ListTasks":
            await exchange.result({"tasks": [self.task()], "nextPageToken": ""})
        elif exchange.method == "GetTask":
            await exchange.result(self.task() | {"id": exchange.params.get("id", "t1")})
        else:
            await exchange.refuse(-32601, "no such method")

    async def subscribe(self, exchange: Exchange) -> None:
        """The task, then what `stream` says."""
        task = self.task() | {"id": exchange.params.get("id", "t1")}
        await exchange.head()
        await exchange.send(exchange.event(json.dumps({"task": task}).encode()))
        await self.stream(exchange)

    async def stream(self, exchange: Exchange) -> None:
        await exchange.until_gone(PING_S)

    def task(self) -> Json:
        return {"id": "t1", "contextId": "c1", "status": self.status}

    def update(self, text: str) -> bytes:
        """The task's next update as JSON."""
        self.number += 1
        state = "TASK_STATE_COMPLETED" if self.over else "TASK_STATE_WORKING"
        self.status = status(text, self.number, state)
        update = {"taskId": "t1", "contextId": "c1", "status": self.status}
        return json.dumps({"statusUpdate": update}).encode()


class NeverSends(OneTaskAgent):
    """Takes a subscription and never sends a byte of an answer."""

    async def subscribe(self, exchange: Exchange) -> None:
        await exchange.until_gone()


class Flood(OneTaskAgent):
    """`PER_S` updates a second, for ever or until update number `last`.

    What is on the wire is numbered without a hole; whoever does not read it slows
    it down. The numbers are in the text and, if `numbered`, in the metadata too.
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
        """One that is like the others but for its number costs 2 µs, not 20."""
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


class Spoilt(OneTaskAgent):
    """Something no reader can use, between two good updates."""

    def __init__(self, *bad: bytes) -> None:
        super().__init__()
        self._bad = bad

    async def stream(self, exchange: Exchange) -> None:
        await exchange.send(exchange.event(self.update("before")))
        for part in self._bad:
            await exchange.send(part)
        await exchange.send(exchange.event(self.update("after")))
        await exchange.until_gone(PING_S)


class Huge(Spoilt):
    """An event of 50 MB between two good ones."""

    async def stream(self, exchange: Exchange) -> None:
        event = exchange.event(self.update("MARK"))
        self._bad = (event.replace(b"MARK", b"x" * 50 * MB),)
        await super().stream(exchange)


class Heavy(OneTaskAgent):
    """Updates of 3 MB, each of which may pass, as fast as they are read."""

    async def stream(self, exchange: Exchange) -> None:
        event = exchange.event(self.update("x" * 3 * MB))
        mark = f'"m{self.number}"'.encode()
        while True:
            self.number += 1
            await exchange.send(event.replace(mark, b'"m%d"' % self.number, 1))


class Swarm(OneTaskAgent):
    """As many open tasks as `SWARM`; each may be subscribed to, none ever moves."""

    async def call(self, exchange: Exchange) -> None:
        if exchange.method != "ListTasks":
            return await super().call(exchange)
        start = int(exchange.params.get("pageToken") or 0)
        end = start + exchange.params.get("pageSize", 50)
        tasks = [{**self.task(), "id": f"t{n}"} for n in range(start, min(end, SWARM))]
        more = str(end) if end < SWARM else ""
        await exchange.result({"tasks": tasks, "nextPageToken": more})


class Endless(OneTaskAgent):
    """The same bytes again and again, as fast as they are read."""

    def __init__(self, begin: bytes, again: bytes) -> None:
        super().__init__()
        self._begin, self._again = begin, again

    async def stream(self, exchange: Exchange) -> None:
        await exchange.send(self._begin)
        while True:
            await exchange.send(self._again)


class Binary(OneTaskAgent):
    """Latin-1 where UTF-8 belongs."""

    async def stream(self, exchange: Exchange) -> None:
        await exchange.send(exchange.event(self.update("before")))
        event = exchange.event(self.update("caf_"))
        await exchange.send(event.replace(b"caf_", b"caf\xe9"))
        await exchange.send(exchange.event(self.update("after")))
        await exchange.until_gone(PING_S)


class WrongType(OneTaskAgent):
    """A web page where a stream belongs."""

    async def subscribe(self, exchange: Exchange) -> None:
        await exchange.answer(b"<html>Welcome!</html>", kind="text/html")


class Broken(OneTaskAgent):
    """HTTP 500 for every call."""

    async def call(self, exchange: Exchange) -> None:
        await exchange.answer(b"Internal Server Error", 500, "text/plain")

    subscribe = call


class Loop(OneTaskAgent):
    """Every call is redirected to itself."""

    async def call(self, exchange: Exchange) -> None:
        await exchange.head(SSE, 307, f"Location: {exchange.url}\r\n")

    subscribe = call


class HugeCard(OneTaskAgent):
    """A card of 100 MB, which does not say so before."""

    async def card(self, exchange: Exchange) -> None:
        await exchange.head("application/json")
        await exchange.send(b'{"name": "')
        for _ in range(100 * MB // len(CHUNK)):
            await exchange.send(CHUNK)
        await exchange.send(b'"}')


class PackedCard(OneTaskAgent):
    """A card of 100 kB that unpacks to 100 MB, whether it was asked to pack or not."""

    async def card(self, exchange: Exchange) -> None:
        packed = gzip.compress(b'{"name": "%b"}' % (b"x" * 100 * MB), 1)
        await exchange.head("application/json", 200, "Content-Encoding: gzip\r\n")
        await exchange.send(packed)


class SlowCard(OneTaskAgent):
    """A card that comes a byte at a time, each just soon enough."""

    async def card(self, exchange: Exchange) -> None:
        await exchange.head("application/json")
        while True:
            await exchange.send(b" ")
            await asyncio.sleep(0.5)


class HugeList(OneTaskAgent):
    """An answer of 100 MB to every call."""

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
        "swarm": Swarm(),
        "endless": Endless(b"data: ", CHUNK),
        "chatter": Endless(b"", b": still here\n\n" * 5_000),
        "binary": Binary(),
        "garbled": Spoilt(b'data: {"jsonrpc": "2.0", "result": {\n\n'),
        "foreign": Spoilt(b'data: {"jsonrpc": "2.0", "id": 1, "result": [5]}\n\n'),
        "wrongtype": WrongType(),
        "http500": Broken(),
        "loop": Loop(),
        "hugecard": HugeCard(),
        "packedcard": PackedCard(),
        "slowcard": SlowCard(),
        "hugelist": HugeList(),
    }


NAMES = tuple(create_agents())


async def main() -> None:
    bad_agents = create_agents()
    await serve(int(sys.argv[1]), lambda x: bad_agents[x.name].handle(x))


if __name__ == "__main__":
    asyncio.run(main())
