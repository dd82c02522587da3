"""Owns who reads the stream in the ingest benchmark: the host, and others.

`python -m bench.ingesters KIND URL UPDATES` reads it once and prints as JSON the
seconds it took and those of the CPU. bench/ingest.py starts them.
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

from host.clients.rate_limit import RateLimiter
from host.config.agent_settings import AgentSettings
from host.feed.feed import Feed
from host.following.collector import Collector
from host.log.contract import Log
from host.log.memory import MemoryLog
from host.log.sqlite import SqliteLog
from host.server import settle_memory

TASK = "t1"
UNLIMITED = 1e9
AGENT_EVENTS = 2  # It is connecting, it is connected.
QUIET = httpx.Timeout(40)


class Watch:
    """What was spent since it was made: the clock's seconds and the CPU's."""

    def __init__(self) -> None:
        self._wall_s, self._cpu_s = time.perf_counter(), time.process_time()

    def tell(self) -> None:
        spent = {
            "wall_s": time.perf_counter() - self._wall_s,
            "cpu_s": time.process_time() - self._cpu_s,
        }
        print(json.dumps(spent), flush=True)


async def sdk(url: str, updates: int) -> None:
    """The SDK's own client, which only counts what it gets."""
    async with httpx.AsyncClient(timeout=QUIET, trust_env=False) as http:
        card = await A2ACardResolver(http, url).get_agent_card()
        config = ClientConfig(
            httpx_client=http,
            supported_protocol_bindings=[
                TransportProtocol.JSONRPC,
                TransportProtocol.HTTP_JSON,
            ],
        )
        client = ClientFactory(config).create(card)
        watch, seen = Watch(), 0
        async for _ in client.subscribe(SubscribeToTaskRequest(id=TASK)):
            seen += 1
        watch.tell()
    assert seen == updates, f"the SDK saw {seen} of {updates}"  # noqa: S101


async def sse(url: str, updates: int) -> None:
    """httpx-sse and json.loads: no protocol, no log."""
    seen = 0
    async with httpx.AsyncClient(timeout=QUIET, trust_env=False) as http:
        watch = Watch()
        async with aconnect_sse(http, **_subscription(url)) as source:
            async for event in source.aiter_sse():
                event.json()
                seen += 1
        watch.tell()
    assert seen == updates, f"httpx-sse saw {seen} of {updates}"  # noqa: S101


async def raw(url: str, updates: int) -> None:
    """httpx alone, the bytes thrown away: nobody who reads by it can be faster."""
    async with httpx.AsyncClient(timeout=QUIET, trust_env=False) as http:
        watch = Watch()
        async with http.stream(**_subscription(url)) as answer:
            async for _ in answer.aiter_raw():
                pass
        watch.tell()


def _subscription(url: str) -> dict[str, Any]:
    """The request that asks for the task's updates, as httpx takes it."""
    if url.endswith("/rest"):
        return {"method": "POST", "url": f"{url}/tasks/{TASK}:subscribe"}
    call = {"method": "SubscribeToTask", "params": {"id": TASK}}
    return {"method": "POST", "url": url, "json": {"jsonrpc": "2.0", "id": 1, **call}}


async def sqlite(url: str, updates: int) -> None:
    """The host from the agent to the log on disk, its limit of 2,500/s lifted."""
    with tempfile.TemporaryDirectory(prefix="courtside-bench-") as folder:
        await _host(SqliteLog(Path(folder) / "feed.db"), url, updates)


async def memory(url: str, updates: int) -> None:
    """The same with the log in memory."""
    await _host(MemoryLog(), url, updates)


async def _host(log: Log, url: str, updates: int) -> None:
    feed = Feed(log, keep_events=10_000_000)
    await feed.open()
    budget = RateLimiter(rate_per_s=UNLIMITED)
    settle_memory()  # As the host does once it is up.
    collector = Collector("agent", AgentSettings(url=url), feed, budget)
    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        group.start_soon(collector.run)
        # Who the agent is was found out before the clock starts, as for the SDK.
        while not _connected(feed):
            await feed.wait_until_published()
        watch = Watch()
        while (row := feed.board.task("agent", TASK)) is None or row.is_open:
            await feed.wait_until_published()
        watch.tell()
        group.cancel_scope.cancel()
    told = feed.head - AGENT_EVENTS
    assert told == updates, f"the feed has {told} of {updates}"  # noqa: S101
    await log.close()


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
