"""`scripts/bench load`: loads a host with many readers, many agents and many tasks.

Prints one table. The agents are A2A servers on sockets. The readers are one C program
(bench/load_readers.c), which compares the bytes of all readers. The host has its own
process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.good_agents import name_of
from bench.table import print_table
from tests.support.harness import NO_TLS, Server, free_port
from tests.support.stack import Stack
from tests.support.waiting import wait_until_sync

HERE = Path(__file__).parent
KEEP_EVENTS = 20_000  # Few enough that a stalled reader falls out of the log.
READY_S, SETTLE_S = 60.0, 120.0
Rows = list[list[str]]


class Readers:
    """The readers of one path. `end` returns their results."""

    def __init__(self, program: Path, port: int, path: str, readers: int, stalled: int):
        numbers = (str(port), path, str(readers), str(stalled))
        self._process = subprocess.Popen(
            [program, *numbers],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        out = self._process.stdout
        if out is None or out.readline().strip() != "ready":
            raise SystemExit("the readers cannot connect to the host")

    def end(self) -> dict[str, Any]:
        output, _ = self._process.communicate()
        found: dict[str, Any] = json.loads(output)
        return found


@dataclass
class Usage:
    """CPU seconds and memory that the host has used."""

    cpu_s: float
    now_mb: float
    peak_mb: float

    @classmethod
    def of(cls, pid: int) -> Usage:
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = Path(f"/proc/{pid}/status").read_text()
        now, peak = (
            int(status.partition(name)[2].split()[0]) / 1024
            for name in ("VmRSS:", "VmHWM:")
        )
        cpu_s = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
        return cls(cpu_s, now, peak)


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench load")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--readers", type=int, default=1_000)
    parser.add_argument(
        "--stalled", type=int, default=50, help="readers that never read"
    )
    parser.add_argument("--agents", type=int, default=50)
    parser.add_argument(
        "--rate", type=int, default=1_000, help="events/s of all agents together"
    )
    parser.add_argument("--idle", type=int, default=5_000, help="idle readers")
    parser.add_argument("--tasks", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="courtside-bench-") as name:
        folder = Path(name)
        program = folder / "load_readers"
        source = HERE / "load_readers.c"
        subprocess.run(
            ["cc", "-O3", "-march=native", "-o", program, source], check=True
        )
        rows = [
            *measure_load(folder / "load", program, given),
            *measure_idle_readers(folder / "idle", program, given.idle),
            *measure_many_tasks(folder / "tasks", given.agents, given.tasks),
        ]
    print_table(["load", ""], rows)


def measure_load(folder: Path, program: Path, given: argparse.Namespace) -> Rows:
    """Connect the readers, then add the agents."""
    per_s = given.rate / given.agents
    updates = int(per_s * given.seconds)
    more = (str(per_s), str(given.agents), str(updates))
    with host(folder) as stack, agents(folder, "good_agents", *more) as url:
        clients = _readers(stack, program, given.readers + given.stalled, given.stalled)
        before, began = Usage.of(stack.host.pid), time.monotonic()
        add(stack, url, given.agents)
        time.sleep(given.seconds / 2)
        middle = Usage.of(stack.host.pid)
        wait_ended(stack, given.agents, given.seconds + SETTLE_S)
        after, took_s = Usage.of(stack.host.pid), time.monotonic() - began
        _wait_delivered(stack)
        cuts = stack.host.output().count("stalled; events up to")
        got = clients.end()
        head = _health(stack)["head"]
    total = updates * given.agents
    # A task's last update has the stamp twice: in its message and in its result.
    is_complete = got["least"] == got["most"] == total + given.agents
    return [
        [
            f"{given.agents} agents, {given.rate:,} events/s, {given.seconds} s",
            f"{total:,} updates, {head:,} events in the feed in {took_s:.0f} s",
        ],
        [
            f"{given.readers:,} readers",
            f"{got['same']:,} identical ({got['bytes'] / 1e6:.1f} MB each), "
            f"{'all complete' if is_complete else 'INCOMPLETE'}, {got['lost']} lost",
        ],
        [
            f"{given.stalled} readers that never read, log of {KEEP_EVENTS:,}",
            f"{cuts} disconnected with a reason, {got['cut']} connections closed",
        ],
        [
            "the host's memory: before, halfway, at the end, peak",
            f"{before.now_mb:.0f}, {middle.now_mb:.0f}, {after.now_mb:.0f}, "
            f"{after.peak_mb:.0f} MB",
        ],
        ["the host's CPU", f"{(after.cpu_s - before.cpu_s) / took_s:.0%}"],
    ]


def measure_idle_readers(folder: Path, program: Path, readers: int) -> Rows:
    with host(folder) as stack:
        alone = Usage.of(stack.host.pid)
        clients = _readers(stack, program, readers, 0)
        full = Usage.of(stack.host.pid)
        time.sleep(READY_S / 4)  # Long enough that each reader gets a ping.
        later = Usage.of(stack.host.pid)
        got = clients.end()
    each_kb = (full.now_mb - alone.now_mb) * 1024 / readers
    cpu = (later.cpu_s - full.cpu_s) / (READY_S / 4)
    result = f"{each_kb:.1f} kB each, {cpu:.1%} CPU, {got['lost']} lost"
    return [[f"{readers:,} idle readers", result]]


def measure_many_tasks(folder: Path, count: int, tasks: int) -> Rows:
    with host(folder) as stack:
        more = (str(count), str(tasks // count))
        with agents(folder, "many_tasks", *more) as url:
            before, began = Usage.of(stack.host.pid), time.monotonic()
            add(stack, url, count)
            wait_ended(stack, tasks, SETTLE_S)
            after, took_s = Usage.of(stack.host.pid), time.monotonic() - began
            events = _health(stack)["head"]
    used = f"{before.now_mb:.0f} to {after.peak_mb:.0f} MB"
    result = f"all ended in {took_s:.0f} s, {events:,} events, {used}"
    return [[f"{tasks:,} open tasks of {count} agents", result]]


@contextmanager
def host(folder: Path) -> Iterator[Stack]:
    folder.mkdir()
    settings = f"[host]\nkeep_events = {KEEP_EVENTS}\n"
    # Without any agent, the host would follow the demo agents.
    offline = {"offline": f"http://127.0.0.1:{free_port()}"}
    with Stack(folder, (), toml=settings, extra_agents=offline) as stack:
        yield stack


@contextmanager
def agents(folder: Path, module: str, *more: str) -> Iterator[str]:
    port = free_port()
    server = Server(
        module,
        [sys.executable, "-m", f"bench.{module}", str(port), *more],
        folder=folder,
        url=f"http://127.0.0.1:{port}",
        ready_path=f"/{name_of(1)}/.well-known/agent-card.json",
    )
    server.start()
    try:
        server.wait_ready(server.ready_url)
        yield server.url
    finally:
        server.kill()


def add(stack: Stack, url: str, count: int) -> None:
    with httpx.Client(trust_env=False, verify=NO_TLS, timeout=READY_S) as http:
        for name in map(name_of, range(1, count + 1)):
            added = {"name": name, "url": f"{url}/{name}"}
            http.post(f"{stack.url}/agents", json=added).raise_for_status()


def wait_ended(stack: Stack, tasks: int, deadline_s: float) -> None:
    """Wait until `tasks` tasks have ended, according to the feed."""
    ended: set[tuple[str, str]] = set()
    after = 0

    def have_all_ended() -> bool:
        nonlocal after
        for event in _events(stack, after):
            after = event["id"]
            if event["status"] == "completed":
                ended.add((event["agent"], event["task_id"]))
        time.sleep(0.5)
        return len(ended) >= tasks

    wait_until_sync(have_all_ended, f"{tasks} tasks to end", deadline_s)


def _events(stack: Stack, after: int) -> Iterator[dict[str, Any]]:
    query = f"kind=task&limit=10000&after={after}"
    answer = httpx.get(f"{stack.url}/feed.ndjson?{query}", trust_env=False, timeout=60)
    yield from map(json.loads, answer.raise_for_status().text.splitlines())


def _health(stack: Stack) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{stack.url}/healthz", trust_env=False).json()
    return found


def _wait_delivered(stack: Stack) -> None:
    """Wait until the host is idle, except for polling: all readers have all events."""
    seen: list[float] = []

    def is_idle() -> bool:
        seen.append(Usage.of(stack.host.pid).cpu_s)
        time.sleep(1.0)
        return (
            len(seen) > 5 and seen[-1] - seen[-3] < 1.0
        )  # Less than half a core over 2 s.

    wait_until_sync(is_idle, "the host to be idle", SETTLE_S)


def _readers(stack: Stack, program: Path, readers: int, stalled: int) -> Readers:
    port = int(stack.url.rpartition(":")[2])
    return Readers(program, port, "/feed?after=0", readers, stalled)


if __name__ == "__main__":
    main()
