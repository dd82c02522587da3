"""`scripts/bench idle`: measures the cost of agents to which nothing happens.

Prints the requests that each idle agent gets from one host, and the host's CPU: first
without a reader of the feed, then with one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean

import anyio
import httpx

from bench.table import print_table
from tests.support.harness import Server, free_port
from tests.support.host_client import watch_feed
from tests.support.one_task_agent import OneTaskAgent
from tests.support.raw_agent import Exchange, serve
from tests.support.stack import Stack

WINDOW_S = 10
COUNTS = "counts"


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench idle")
    parser.add_argument("--agents", type=int, default=30)
    parser.add_argument(
        "--settle-s", type=float, default=60, help="seconds until the agents are idle"
    )
    parser.add_argument("--windows", type=int, default=6, help="windows of 10 s each")
    given = parser.parse_args()
    names = [f"idle-{number}" for number in range(given.agents)]
    rows = []
    with (
        tempfile.TemporaryDirectory(prefix="courtside-bench-") as folder,
        idle_agents(Path(folder), names) as url,
        Stack(
            Path(folder), [], extra_agents={name: f"{url}/{name}" for name in names}
        ) as stack,
    ):
        stack.wait_connected(*names)
        time.sleep(given.settle_s)
        rows.append(["nobody reads", *measure(stack, url, names, given.windows)])
        watched = anyio.run(measure_watched, stack, url, names)
        rows.append(["one reader", *watched])
    head = [
        f"{given.agents} idle agents",
        f"requests per agent in {WINDOW_S} s, mean",
        "max",
        "host's CPU",
    ]
    print_table(head, rows)


async def measure_watched(stack: Stack, url: str, names: list[str]) -> list[str]:
    async with watch_feed(f"{stack.url}/feed"):
        await anyio.sleep(2 * WINDOW_S)
        return await anyio.to_thread.run_sync(measure, stack, url, names, 1)


def measure(stack: Stack, url: str, names: list[str], windows: int) -> list[str]:
    """Return the last cells of a row: requests and CPU over some windows."""
    requests: list[int] = []
    began, cpu_s = time.monotonic(), read_cpu_s(stack.host.pid)
    before = read_counts(url)
    for number in range(1, windows + 1):
        time.sleep(began + number * WINDOW_S - time.monotonic())
        counts = read_counts(url)
        requests += [counts[name] - before[name] for name in names]
        before = counts
    took_s = time.monotonic() - began
    cpu = (read_cpu_s(stack.host.pid) - cpu_s) / took_s
    return [f"{mean(requests):.2f}", f"{max(requests)}", f"{cpu:.1%}"]


def read_counts(url: str) -> Counter[str]:
    return Counter(httpx.get(f"{url}/{COUNTS}", trust_env=False).json())


def read_cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def idle_agents(folder: Path, names: list[str]) -> Iterator[str]:
    """Run the agents in one process. Yield the URL below which they are."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    server = Server(
        "idle_agents",
        [sys.executable, "-m", "bench.idle", str(port), *names],
        folder=folder,
        url=url,
        ready_path=f"/{COUNTS}",
    )
    server.start()
    try:
        server.wait_ready(server.ready_url)
        yield url
    finally:
        server.kill()


class Idle(OneTaskAgent):
    """An agent without tasks."""

    async def call(self, exchange: Exchange) -> None:
        await exchange.result({"tasks": []})


async def serve_idle_agents(port: str, *names: str) -> None:
    counts: Counter[str] = Counter()
    agents = {name: Idle() for name in names}

    async def play(exchange: Exchange) -> None:
        if exchange.name == COUNTS:
            return await exchange.answer(json.dumps(counts).encode())
        counts[exchange.name] += 1
        await agents[exchange.name].handle(exchange)

    await serve(int(port), play)


if __name__ == "__main__":
    asyncio.run(serve_idle_agents(*sys.argv[1:]))
