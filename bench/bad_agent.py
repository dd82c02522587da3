"""`scripts/bench bad_agent`: measures how much one bad agent delays four good agents.

Prints one table: the delay of the good agents' updates, from agent to reader, before
and after a bad agent is added to the host. The last column is what the host reports
about the bad agent. The host has one core, the agents and the reader the other.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import cast

from bench.good_agents import NAMES as GOOD
from bench.table import print_table
from tests.support.bad_streams import NAMES as BAD
from tests.support.harness import Server, free_port
from tests.support.host_client import HostClient, Json, host_at
from tests.support.process_memory import peak_mb
from tests.support.stack import Stack

HOST_CORE, OTHER_CORE = 0, 1
NONE, DEAF = "none", "deaf"
KINDS = (NONE, DEAF, *BAD)
MAX_RATIO, MAX_MORE_MS = 2.0, 50.0
WARM_S = 1.0
STAMP = re.compile(rb"~(\d{19})")


@dataclass(frozen=True)
class Run:
    """Delays in ms before and with the bad agent; the host's memory and CPU with it."""

    before: list[float]
    with_it: list[float]
    peak_mb: float
    cpu: float
    report: str

    @property
    def ratio(self) -> float:
        return _at(0.99, self.with_it) / _at(0.99, self.before)


class Delays(asyncio.Protocol):
    """Reads the feed. `ms` has the age of each update when it arrived."""

    def __init__(self, port: int) -> None:
        self.ms: list[float] = []
        self._port = port
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        query = "&".join(f"agent={name}" for name in GOOD)
        head = f"GET /feed?{query} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n\r\n"
        cast(asyncio.Transport, transport).write(head.encode())

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        whole, _, self._rest = (self._rest + data).rpartition(b"\n\n")
        self.ms.extend((now - int(stamp)) / 1e6 for stamp in STAMP.findall(whole))

    def start_list(self) -> list[float]:
        """Return a new list, to which all delays from now on are added."""
        self.ms = []
        return self.ms


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench bad_agent")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument(
        "--rate", type=float, default=50, help="updates/s of each good agent"
    )
    parser.add_argument("--only", nargs="*", choices=KINDS, default=KINDS)
    given = parser.parse_args()
    os.sched_setaffinity(0, {OTHER_CORE})
    runs: dict[str, list[Run]] = {kind: [] for kind in given.only}
    for _ in range(given.rounds):
        for kind in given.only:
            runs[kind].append(run(kind, given.rate, given.seconds))
    head = [
        f"{len(GOOD)} × {given.rate:g}/s, with",
        "p50 / p99 before, ms",
        "p50 / p99 with it, ms",
        "p99 ×",
        "memory",
        "CPU",
        "report of the host",
    ]
    print_table(head, [_row(kind, of_kind) for kind, of_kind in runs.items()])
    slow = [kind for kind, of_kind in runs.items() if _is_slow(of_kind)]
    print(f"p99 over × {MAX_RATIO:g}, or {MAX_MORE_MS:g} ms more: {slow or 'none'}")


def run(kind: str, rate: float, seconds: float) -> Run:
    """Start a host with the good agents. Measure without and with the bad agent."""
    with (
        tempfile.TemporaryDirectory(prefix="courtside-bench-") as folder,
        _agents(Path(folder), rate) as (good, bad),
    ):
        stack = Stack(Path(folder), [], extra_agents=good)
        stack.host.argv = ["taskset", "-c", str(HOST_CORE), *stack.host.argv]
        with stack:
            stack.wait_connected(*GOOD)
            return asyncio.run(_measure(stack, kind, bad, seconds))


async def _measure(stack: Stack, kind: str, bad: dict[str, str], seconds: float) -> Run:
    port = int(stack.url.rpartition(":")[2])
    loop = asyncio.get_running_loop()
    _, reader = await loop.create_connection(lambda: Delays(port), "127.0.0.1", port)
    await asyncio.sleep(WARM_S)
    before = reader.start_list()
    await asyncio.sleep(seconds)
    with_it, cpu_s = reader.start_list(), _cpu_s(stack.host.pid)
    async with host_at(stack.url) as host:
        if kind != NONE:
            added = {"name": kind, "url": bad[kind]}
            (await host.http.post("/agents", json=added)).raise_for_status()
        await asyncio.sleep(seconds)
        cpu = (_cpu_s(stack.host.pid) - cpu_s) / seconds
        report = await _report(host, kind)
    return Run(list(before), list(with_it), peak_mb(stack.host.pid), cpu, report)


async def _report(host: HostClient, kind: str) -> str:
    rows: list[Json] = (await host.get("/agents"))["agents"]
    row = next((row for row in rows if row["agent"] == kind), None)
    if row is None:
        return ""
    why = row.get("cause") or row.get("trouble") or ""
    return f"{row['connection']}: {why}"[:90] if why else str(row["connection"])


@contextmanager
def _agents(
    folder: Path, rate: float
) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """Start the agents. Yield the URLs of the good agents and of the bad agents."""
    good = _server("good_agents", GOOD[0], folder, "bench.good_agents", str(rate))
    bad = _server("bad_agents", "plain", folder, "tests.support.bad_streams")
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        try:
            for server in (good, bad):
                server.start()
                server.wait_ready(server.ready_url)
            # The bad agents share a core with the reader, which must not wait for them.
            os.setpriority(os.PRIO_PROCESS, bad.pid, 19)
            urls = {name: f"{bad.url}/{name}" for name in BAD}
            urls[DEAF] = f"http://127.0.0.1:{deaf.getsockname()[1]}"
            yield {name: f"{good.url}/{name}" for name in GOOD}, urls
        finally:
            for server in (good, bad):
                server.kill()


def _server(name: str, ready: str, folder: Path, module: str, *more: str) -> Server:
    port = free_port()
    return Server(
        name,
        [sys.executable, "-m", module, str(port), *more],
        folder=folder,
        url=f"http://127.0.0.1:{port}",
        ready_path=f"/{ready}/.well-known/agent-card.json",
    )


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _at(share: float, values: Sequence[float]) -> float:
    ordered = sorted(values) or [float("nan")]
    return ordered[int(share * (len(ordered) - 1))]


def _is_slow(runs: Sequence[Run]) -> bool:
    more_ms = median(_at(0.99, r.with_it) - _at(0.99, r.before) for r in runs)
    return median(r.ratio for r in runs) > MAX_RATIO or more_ms > MAX_MORE_MS


def _row(kind: str, runs: Sequence[Run]) -> list[str]:
    def delays(share: float, of: Sequence[Sequence[float]]) -> str:
        return f"{median(_at(share, values) for values in of):.1f}"

    before, with_it = [r.before for r in runs], [r.with_it for r in runs]
    return [
        "no bad agent" if kind == NONE else kind,
        f"{delays(0.5, before)} / {delays(0.99, before)}",
        f"{delays(0.5, with_it)} / {delays(0.99, with_it)}",
        f"× {median(r.ratio for r in runs):.2f}",
        f"{max(r.peak_mb for r in runs):.0f} MB",
        f"{median(r.cpu for r in runs):.0%}",
        runs[-1].report,
    ]


if __name__ == "__main__":
    main()
