"""Owns `scripts/bench load`: many readers, many agents and many tasks at once.

Prints one table. Agents are A2A servers on sockets, the readers one C program
(bench/crowd.c) that compares what each of them got; the host is a process of its own.
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
from tests.support.harness import NO_TLS, Server, Stack, free_port, wait_until

HERE = Path(__file__).parent
KEEP_EVENTS = 20_000
"""So that a reader that stalls falls out of the log while the run lasts."""
READY_S, SETTLE_S = 60.0, 120.0
Rows = list[list[str]]


class Crowd:
    """Readers of one path; `end` gives what they have."""

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
            raise SystemExit("the readers did not get through to the host")

    def end(self) -> dict[str, Any]:
        told, _ = self._process.communicate()
        found: dict[str, Any] = json.loads(told)
        return found


@dataclass
class Usage:
    """What the host has used: CPU in seconds, memory in MB."""

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
    parser.add_argument("--stalled", type=int, default=50, help="readers beside them")
    parser.add_argument("--agents", type=int, default=50)
    parser.add_argument("--rate", type=int, default=1_000, help="events/s of all")
    parser.add_argument("--idle", type=int, default=5_000, help="readers at rest")
    parser.add_argument("--tasks", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="courtside-bench-") as made:
        folder = Path(made)
        program = folder / "crowd"
        source = HERE / "crowd.c"
        subprocess.run(
            ["cc", "-O3", "-march=native", "-o", program, source], check=True
        )
        rows = [
            *under_load(folder / "load", program, given),
            *at_rest(folder / "rest", program, given.idle),
            *many_tasks(folder / "tasks", given.agents, given.tasks),
        ]
    print_table(["load", ""], rows)


def under_load(folder: Path, program: Path, given: argparse.Namespace) -> Rows:
    """Readers that come first, agents that are added then."""
    per_s = given.rate / given.agents
    updates = int(per_s * given.seconds)
    more = (str(per_s), str(given.agents), str(updates))
    with host(folder) as stack, agents(folder, "good_agents", *more) as url:
        crowd = _crowd(stack, program, given.readers + given.stalled, given.stalled)
        before, began = Usage.of(stack.host.pid), time.monotonic()
        add(stack, url, given.agents)
        time.sleep(given.seconds / 2)
        middle = Usage.of(stack.host.pid)
        wait_over(stack, given.agents, given.seconds + SETTLE_S)
        after, took_s = Usage.of(stack.host.pid), time.monotonic() - began
        _wait_delivered(stack)
        cuts = stack.host.output().count("stalled; events up to")
        got = crowd.end()
        head = _health(stack)["head"]
    total = updates * given.agents
    # A task's last words are its message and its result.
    whole = got["least"] == got["most"] == total + given.agents
    return [
        [
            f"{given.agents} agents, {given.rate:,} events/s, {given.seconds} s",
            f"{total:,} told, {head:,} events in the feed in {took_s:.0f} s",
        ],
        [
            f"{given.readers:,} readers",
            f"{got['same']:,} identical ({got['bytes'] / 1e6:.1f} MB each), "
            f"{'all complete' if whole else 'INCOMPLETE'}, {got['lost']} lost",
        ],
        [
            f"{given.stalled} readers that never read, log of {KEEP_EVENTS:,}",
            f"{cuts} cut with a reason, {got['cut']} connections over",
        ],
        [
            "the host's memory: before, half-way, at the end, at its peak",
            f"{before.now_mb:.0f}, {middle.now_mb:.0f}, {after.now_mb:.0f}, "
            f"{after.peak_mb:.0f} MB",
        ],
        ["the host's CPU", f"{(after.cpu_s - before.cpu_s) / took_s:.0%}"],
    ]


def at_rest(folder: Path, program: Path, readers: int) -> Rows:
    with host(folder) as stack:
        alone = Usage.of(stack.host.pid)
        crowd = _crowd(stack, program, readers, 0)
        full = Usage.of(stack.host.pid)
        time.sleep(READY_S / 4)  # Long enough for each to be pinged.
        later = Usage.of(stack.host.pid)
        got = crowd.end()
    each_kb = (full.now_mb - alone.now_mb) * 1024 / readers
    cpu = (later.cpu_s - full.cpu_s) / (READY_S / 4)
    said = f"{each_kb:.1f} kB each, {cpu:.1%} CPU, {got['lost']} lost"
    return [[f"{readers:,} readers at rest", said]]


def many_tasks(folder: Path, count: int, tasks: int) -> Rows:
    with host(folder) as stack:
        more = (str(count), str(tasks // count))
        with agents(folder, "many_tasks", *more) as url:
            before, began = Usage.of(stack.host.pid), time.monotonic()
            add(stack, url, count)
            wait_over(stack, tasks, SETTLE_S)
            after, took_s = Usage.of(stack.host.pid), time.monotonic() - began
            events = _health(stack)["head"]
    used = f"{before.now_mb:.0f} to {after.peak_mb:.0f} MB"
    said = f"all over in {took_s:.0f} s, {events:,} events, {used}"
    return [[f"{tasks:,} tasks open at once, of {count} agents", said]]


@contextmanager
def host(folder: Path) -> Iterator[Stack]:
    folder.mkdir()
    settings = f"[host]\nkeep_events = {KEEP_EVENTS}\n"
    # Without any agent it would follow the four of the lesson.
    nobody = {"nobody": f"http://127.0.0.1:{free_port()}"}
    with Stack(folder, (), toml=settings, extra_agents=nobody) as stack:
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


def wait_over(stack: Stack, tasks: int, deadline_s: float) -> None:
    """Until so many tasks have ended: counted from the feed as it grows."""
    over: set[tuple[str, str]] = set()
    after = 0

    def all_over() -> bool:
        nonlocal after
        for event in _events(stack, after):
            after = event["id"]
            if event["status"] == "completed":
                over.add((event["agent"], event["task_id"]))
        time.sleep(0.5)
        return len(over) >= tasks

    wait_until(all_over, deadline_s, f"{tasks} tasks to end")


def _events(stack: Stack, after: int) -> Iterator[dict[str, Any]]:
    query = f"kind=task&limit=10000&after={after}"
    answer = httpx.get(f"{stack.url}/feed.ndjson?{query}", trust_env=False, timeout=60)
    yield from map(json.loads, answer.raise_for_status().text.splitlines())


def _health(stack: Stack) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{stack.url}/healthz", trust_env=False).json()
    return found


def _wait_delivered(stack: Stack) -> None:
    """The host does no more than ask for tasks: all that read have all."""
    seen: list[float] = []

    def rests() -> bool:
        seen.append(Usage.of(stack.host.pid).cpu_s)
        time.sleep(1.0)
        return len(seen) > 5 and seen[-1] - seen[-3] < 1.0  # Of two: half a core.

    wait_until(rests, SETTLE_S, "the host to come to rest")


def _crowd(stack: Stack, program: Path, readers: int, stalled: int) -> Crowd:
    port = int(stack.url.rpartition(":")[2])
    return Crowd(program, port, "/feed?after=0", readers, stalled)


if __name__ == "__main__":
    main()
