"""The readers of the ingest benchmark: the host and three other clients.

`python -m bench.ingest_readers KIND URL UPDATES` reads the stream once and prints JSON:
the elapsed seconds and the CPU seconds. bench/ingest.py starts it.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
from a2a.client.card_resolver import A2ACardResolver
from a2a.client.client import ClientConfig
from a2a.client.client_factory import ClientFactory
from a2a.types.a2a_pb2 import SubscribeToTaskRequest
from a2a.utils.constants import TransportProtocol
from httpx_sse import aconnect_sse

from host.clients.loop_budget import LoopBudget
from host.clients.rate_limit import RateLimiter
from host.config.agent_settings import AgentSettings
from host.feed.feed import Feed
from host.following.collector import Collector
from host.log.contract import Log
from host.log.memory_log import MemoryLog
from host.log.sqlite_log import SqliteLog
from host.model.filter import Filter
from host.server import settle_memory

TASK = "t1"
UNLIMITED = 1e9
READ_ROWS = 1_000
TIMEOUT = httpx.Timeout(40)


class Stopwatch:
    """Measures elapsed time and CPU time from its creation."""

    def __init__(self) -> None:
        self._wall_s, self._cpu_s = time.perf_counter(), time.process_time()

    def print_result(self) -> None:
        spent = {
            "wall_s": time.perf_counter() - self._wall_s,
            "cpu_s": time.process_time() - self._cpu_s,
        }
        print(json.dumps(spent), flush=True)


async def sdk(url: str, updates: int) -> None:
    """Read with the SDK's client, and only count the updates."""
    async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=False) as http:
        card = await A2ACardResolver(http, url).get_agent_card()
        config = ClientConfig(
            httpx_client=http,
            supported_protocol_bindings=[
                TransportProtocol.JSONRPC,
                TransportProtocol.HTTP_JSON,
            ],
        )
        client = ClientFactory(config).create(card)
        watch, seen = Stopwatch(), 0
        async for _ in client.subscribe(SubscribeToTaskRequest(id=TASK)):
            seen += 1
        watch.print_result()
    assert seen == updates, f"the SDK saw {seen} of {updates}"  # noqa: S101


async def sse(url: str, updates: int) -> None:
    """Read with httpx-sse and parse the JSON: no protocol, no log."""
    seen = 0
    async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=False) as http:
        watch = Stopwatch()
        async with aconnect_sse(http, **_subscription(url)) as source:
            async for event in source.aiter_sse():
                event.json()
                seen += 1
        watch.print_result()
    assert seen == updates, f"httpx-sse saw {seen} of {updates}"  # noqa: S101


async def raw(url: str, updates: int) -> None:
    """Read with httpx and discard the bytes: the limit for clients that use httpx."""
    async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=False) as http:
        watch = Stopwatch()
        async with http.stream(**_subscription(url)) as response:
            async for _ in response.aiter_raw():
                pass
        watch.print_result()


def _subscription(url: str) -> dict[str, Any]:
    """Return the arguments of httpx that subscribe to the task."""
    if url.endswith("/rest"):
        return {"method": "POST", "url": f"{url}/tasks/{TASK}:subscribe"}
    call = {"method": "SubscribeToTask", "params": {"id": TASK}}
    return {"method": "POST", "url": url, "json": {"jsonrpc": "2.0", "id": 1, **call}}


async def sqlite(url: str, updates: int) -> None:
    """Read with the host into a log on disk, without the limits of time and 2,500/s."""
    with tempfile.TemporaryDirectory(prefix="courtside-bench-") as folder:
        await _host(SqliteLog(Path(folder) / "feed.db"), url, updates)


async def memory(url: str, updates: int) -> None:
    """Read with the host into a log in memory."""
    await _host(MemoryLog(), url, updates)


async def _host(log: Log, url: str, updates: int) -> None:
    feed = Feed(log, keep_events=10_000_000)
    await feed.open()
    limiter = RateLimiter(rate_per_s=UNLIMITED)
    budget = LoopBudget(share=UNLIMITED)
    settle_memory()  # The host does this at the end of its start.
    collector = Collector("agent", AgentSettings(url=url), feed, limiter, budget)
    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        group.start_soon(collector.run)
        # Connect before the measurement starts, as the SDK's client does.
        while not _connected(feed):
            await feed.wait_until_published()
        watch = Stopwatch()
        while (row := feed.board.task("agent", TASK)) is None or row.is_open:
            await feed.wait_until_published()
        watch.print_result()
        group.cancel_scope.cancel()
    read = await _count_events(log)
    assert read == updates, f"the feed has {read} of {updates}"  # noqa: S101
    await log.close()


async def _count_events(log: Log) -> int:
    """Count the events of the task. A read of the log has a limit in bytes."""
    count = cursor = 0
    where = Filter(task=frozenset([TASK]))
    while rows := await log.read(cursor, READ_ROWS, where):
        count += len(rows)
        cursor = rows[-1].id
    return count


def _connected(feed: Feed) -> bool:
    row = feed.board.agents.get("agent")
    return row is not None and row.connection == "connected"


KINDS: dict[str, Callable[[str, int], Awaitable[None]]] = {
    "sqlite": sqlite,
    "memory": memory,
    "sdk": sdk,
    "sse": sse,
    "raw": raw,
}

if __name__ == "__main__":
    kind, url, count = sys.argv[1:]
    anyio.run(KINDS[kind], url, int(count), backend_options={"use_uvloop": True})
