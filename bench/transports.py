"""`scripts/bench transports`: compares SSE, WebSocket, push notifications and polling.

Prints one table: how late a client gets the same updates in each way, and at what cost.
Agent and client use common libraries, over loopback.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import uvicorn
from httpx_sse import aconnect_sse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from websockets.asyncio.client import connect

from bench.table import print_table
from bench.wire_bytes import WireBytes
from tests.support.harness import Server, free_port

HEAD = (
    "late, p50 / p99",
    "received",
    "requests per task",
    "bytes per update",
    "CPU per update: agent + client",
)


@dataclass
class Reader:
    """Collects the updates of one task that a client received, and the times."""

    task_id: str
    requests: int = 1
    received: list[tuple[int, int]] = field(default_factory=list)

    def receive(self, update: dict[str, Any]) -> bool:
        """Record an update if it is new. Return whether more updates may follow."""
        number = int(update["status"]["message"]["messageId"].rpartition("-")[2])
        if number and (not self.received or self.received[-1][0] < number):
            self.received.append((number, time.monotonic_ns()))
        return bool(update["status"]["state"] == "TASK_STATE_WORKING")

    def late_ms(self, sent: list[int]) -> list[float]:
        """Return the time until each update, or a newer one, was received."""
        late: list[float] = []
        for number, at in self.received:
            late += [(at - sent_at) / 1e6 for sent_at in sent[len(late) : number]]
        return late


class Client:
    """An application that starts tasks at the agent and follows them.

    `webhook` is the URL at which the agent calls `take_push`.
    """

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self.wire = WireBytes()
        self.webhook = ""
        self._url = url
        self._http = http
        self._pushed: dict[str, tuple[Reader, anyio.Event]] = {}

    async def sse(self, reader: Reader) -> None:
        url = f"{self._url}/sse/{reader.task_id}"
        async with aconnect_sse(self._http, "POST", url) as source:
            async for event in source.aiter_sse():
                if not reader.receive(event.json()["statusUpdate"]):
                    self.wire.count(source.response)

    async def websocket(self, reader: Reader) -> None:
        url = f"{self._url.replace('http', 'ws', 1)}/ws/{reader.task_id}"
        async with connect(url, compression=None, proxy=None) as socket:
            async for update in socket:
                if not reader.receive(json.loads(update)["statusUpdate"]):
                    connection = socket.transport.get_extra_info("socket")
                    self.wire.count_socket(connection)

    async def poll(self, reader: Reader, every_s: float) -> None:
        url = f"{self._url}/task/{reader.task_id}"
        response = await self._http.post(url)
        while reader.receive(response.json()):
            self.wire.count(response)
            await anyio.sleep(every_s)
            response = await self._http.get(url)
            reader.requests += 1
        self.wire.count(response)

    async def push(self, reader: Reader) -> None:
        over = anyio.Event()
        self._pushed[reader.task_id] = reader, over
        url = f"{self._url}/push/{reader.task_id}"
        self.wire.count(await self._http.post(url, json={"url": self.webhook}))
        await over.wait()

    async def take_push(self, request: Request) -> Response:
        update = (await request.json())["statusUpdate"]
        reader, over = self._pushed[update["taskId"]]
        reader.requests += 1
        if not reader.receive(update):
            over.set()
        return Response(status_code=204)


TRANSPORTS: dict[str, Callable[[Client, Reader], Coroutine[Any, Any, None]]] = {
    "SSE": Client.sse,
    "WebSocket": Client.websocket,
    "push notifications": Client.push,
    "polling every 1 s": partial(Client.poll, every_s=1),
    "polling every 0.25 s": partial(Client.poll, every_s=0.25),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench transports")
    parser.add_argument(
        "--tasks", type=int, default=20, help="number of tasks at the same time"
    )
    parser.add_argument("--updates", type=int, default=100, help="updates of each task")
    parser.add_argument(
        "--every", type=float, default=0.25, help="average seconds between two updates"
    )
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="courtside-bench-") as folder,
        agent(Path(folder), given.updates, given.every) as url,
    ):
        rows = [
            [name, *anyio.run(measure, url, name, given.tasks)] for name in TRANSPORTS
        ]
    title = f"{given.tasks} tasks, an update of each every {given.every:g} s"
    print_table([title, *HEAD], rows)


async def measure(url: str, transport: str, tasks: int) -> list[str]:
    """Return a row of the table. All tasks run at the same time."""
    async with _http() as http, _http() as aside:
        client = Client(url, http)
        # All transports have the same tasks: the id decides when a task sends.
        readers = [Reader(str(number)) for number in range(tasks)]
        async with serving(Route("/", client.take_push, methods=["POST"])) as webhook:
            client.webhook = webhook
            agent_before, cpu_s = await _cost(aside, url), time.process_time()
            async with anyio.create_task_group() as group:
                for reader in readers:
                    group.start_soon(TRANSPORTS[transport], client, reader)
            cpu_s = time.process_time() - cpu_s
            agent_after = await _cost(aside, url)
        sent = [(await aside.get(f"{url}/sent/{r.task_id}")).json() for r in readers]
    spent = {key: agent_after[key] - agent_before[key] for key in agent_after}
    late = sorted(
        ms
        for reader, times in zip(readers, sent, strict=True)
        for ms in reader.late_ms(times)
    )
    updates = len(late)
    received = sum(len(reader.received) for reader in readers)
    requests = sum(reader.requests for reader in readers)
    agent_us, client_us = (1e6 * cpu / updates for cpu in (spent["cpu_s"], cpu_s))
    return [
        f"{_at(0.5, late):,.1f} / {_at(0.99, late):,.1f} ms",
        f"{received / updates:.0%}",
        f"{requests / tasks:.0f}",
        f"{(spent['wire_bytes'] + client.wire.total) / updates:,.0f}",
        f"{agent_us:,.0f} + {client_us:,.0f} µs",
    ]


@asynccontextmanager
async def serving(route: Route) -> AsyncIterator[str]:
    """Serve `route` in this process. Yield the address."""
    port = free_port()
    app = Starlette(routes=[route])
    config = uvicorn.Config(app, port=port, access_log=False, log_level="error")
    server = uvicorn.Server(config)
    async with anyio.create_task_group() as group:
        group.start_soon(server.serve)
        while not server.started:  # noqa: ASYNC110 - it sets no event
            await anyio.sleep(0.01)
        yield f"http://127.0.0.1:{port}/"
        server.should_exit = True


@contextmanager
def agent(folder: Path, updates: int, every_s: float) -> Iterator[str]:
    """Run bench/transports_agent.py in its own process. Yield its address."""
    port = free_port()
    process = Server(
        "transports_agent",
        [
            sys.executable,
            "-m",
            "bench.transports_agent",
            str(port),
            str(updates),
            str(every_s),
        ],
        folder=folder,
        url=f"http://127.0.0.1:{port}",
        ready_path="/cost",
    )
    process.restart()
    try:
        yield process.url
    finally:
        process.terminate()


def _http() -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=None)
    return httpx.AsyncClient(limits=limits, timeout=60, trust_env=False)


async def _cost(http: httpx.AsyncClient, url: str) -> dict[str, float]:
    cost: dict[str, float] = (await http.get(f"{url}/cost")).json()
    return cost


def _at(share: float, ordered: list[float]) -> float:
    return ordered[int(share * (len(ordered) - 1))]


if __name__ == "__main__":
    main()
