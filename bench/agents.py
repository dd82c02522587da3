"""`scripts/bench agents`: measures how many updates a second one agent sends.

Compares our agent with a plain agent, written like the SDK's examples. Prints two
tables from one run, medians of alternating rounds. The agent has one core, the reader
the other.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import cast

from bench.table import print_table

AGENT_CORE, READER_CORE = 0, 1
TASKS = 100
READY_S, DEADLINE_S = 20, 300
STREAM, ALL_TASKS = "/message:stream", "/tasks/stream"


@dataclass(frozen=True)
class Kind:
    """An agent (a module of bench/), its skill, and the path that the reader reads."""

    name: str
    server: str
    skill: str
    path: str = STREAM


PLAIN = Kind("plain SDK agent, words", "plain_agent", "words")
OURS = (
    Kind("ours, words", "our_agent", "words"),
    Kind("ours, ticks", "our_agent", "ticks"),
    Kind("ours, ticks, GET /tasks/stream", "our_agent", "ticks", ALL_TASKS),
)
KINDS = (PLAIN, *OURS)


class Counter:
    """Counts a byte string in a stream, also if it is split over two reads."""

    def __init__(self, pattern: bytes) -> None:
        self.count = 0
        self._pattern = pattern
        self._tail = b""

    def feed(self, data: bytes) -> None:
        data = self._tail + data
        self.count += data.count(self._pattern)
        # The tail is shorter than the pattern, so nothing is counted twice.
        self._tail = data[1 - len(self._pattern) :]


class Reader(asyncio.Protocol):
    """Sends one request and counts the events of the response.

    `done` is set when the response ends. If it has no end (GET /tasks/stream), `done`
    is set after `completed` tasks have ended.
    """

    def __init__(self, request: bytes, completed: int = 0) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.events = Counter(b"data: {")
        self.began = self.ended = 0.0
        self.thousands: list[float] = []
        self._request = request
        self._enough = completed
        self._completed = Counter(b'"completed"')

    async def connect(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, "127.0.0.1", port)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.began = time.monotonic()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self.events.feed(data)
        while self.events.count >= 1_000 * (len(self.thousands) + 1):
            self.thousands.append(time.monotonic())
        if self._enough:
            self._completed.feed(data)
            if self._completed.count >= self._enough:
                self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.ended = time.monotonic()
        self.done.set_result(None)


@dataclass(frozen=True)
class Result:
    """One run: updates a second, CPU of the agent per update, and the seconds for the
    first and the last thousand updates.

    It is not `complete` if a stream ended early: the SDK silently drops a reader that
    is 1,024 updates behind.
    """

    complete: bool
    per_s: float
    cpu_us: float
    first_s: float = 0.0
    last_s: float = 0.0


Results = dict[Kind, list[Result]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench agents")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=100, help="updates per task")
    parser.add_argument(
        "--long", type=int, default=5_000, help="updates of the long task"
    )
    given = parser.parse_args()
    os.sched_setaffinity(0, {READER_CORE})
    compare_many_tasks(given.rounds, given.updates)
    compare_long_task(given.rounds, given.long)


def compare_many_tasks(rounds: int, updates: int) -> None:
    """Run a hundred tasks at the same time."""
    results = _alternating(KINDS, rounds, lambda kind: run(kind, TASKS, updates))
    rows = [
        [
            kind.name,
            _median(results[kind], lambda r: r.per_s, "{:,.0f}"),
            _median(results[kind], lambda r: r.cpu_us, "{:,.0f} µs"),
            _ratio(results, kind),
            _cut_off(results[kind]),
        ]
        for kind in KINDS
    ]
    title = f"{TASKS} tasks × {updates} updates"
    print_table([title, "updates/s", "CPU per update", "× plain", ""], rows)


def compare_long_task(rounds: int, updates: int) -> None:
    """Run one long task. Compare its last thousand updates with the first."""
    kinds = [kind for kind in KINDS if kind.path == STREAM]
    results = _alternating(kinds, rounds, lambda kind: run(kind, 1, updates))
    rows = [
        [
            kind.name,
            _median(results[kind], lambda r: r.first_s, "{:.2f} s"),
            _median(results[kind], lambda r: r.last_s, "{:.2f} s"),
            _median(results[kind], lambda r: r.last_s / r.first_s, "× {:.1f}"),
            _median(results[kind], lambda r: r.per_s, "{:,.0f}"),
            _ratio(results, kind),
            _cut_off(results[kind]),
        ]
        for kind in kinds
    ]
    head = ["first 1,000", "last 1,000", "grows", "updates/s", "× plain", ""]
    print_table([f"1 task × {updates:,} updates", *head], rows)


def run(kind: Kind, tasks: int, updates: int) -> Result:
    """Start an agent, run the tasks, and stop the agent."""
    with _agent(kind.server) as (port, pid):
        cpu_s = _cpu_s(pid)
        began = time.monotonic()
        readers = asyncio.run(_read(port, kind, tasks, updates))
        ended = max(reader.ended for reader in readers)
        cpu_s = _cpu_s(pid) - cpu_s
    received = sum(reader.events.count for reader in readers)
    at = readers[0].thousands
    return Result(
        # Each task also sends one update when it starts and one when it ends.
        complete=received >= tasks * (updates + 2),
        per_s=tasks * updates / (ended - began),
        cpu_us=cpu_s / (tasks * updates) * 1e6,
        first_s=at[0] - readers[0].began if at else 0.0,
        last_s=at[-1] - at[-2] if len(at) > 1 else 0.0,
    )


async def _read(port: int, kind: Kind, tasks: int, updates: int) -> list[Reader]:
    """Start the tasks. Read each from its own stream, or all from GET /tasks/stream."""
    message = {
        "messageId": "m",
        "role": "ROLE_USER",
        "parts": [{"text": str(updates)}],
        "metadata": {"skillId": kind.skill},
    }
    if kind.path == ALL_TASKS:
        readers = [Reader(_request("GET", ALL_TASKS), completed=tasks)]
        await readers[0].connect(port)
        configuration = {"returnImmediately": True}
        body = {"message": message, "configuration": configuration}
        start = _request("POST", "/message:send", body)
        starters = [Reader(start) for _ in range(tasks)]
    else:
        start = _request("POST", kind.path, {"message": message})
        readers = starters = [Reader(start) for _ in range(tasks)]
    for starter in starters:
        await starter.connect(port)
    done = [reader.done for reader in {*readers, *starters}]
    await asyncio.wait_for(asyncio.gather(*done), DEADLINE_S)
    return readers


def _request(method: str, path: str, body: object = None) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n"
        f"A2A-Version: 1.0\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


@contextmanager
def _agent(server: str) -> Iterator[tuple[int, int]]:
    """Start an agent on its own core. Yield its port and its process id."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", f"bench.{server}", str(port)],
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parent.parent,
        preexec_fn=lambda: os.sched_setaffinity(0, {AGENT_CORE}),
    )
    try:
        _wait_until_ready(server, port)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(10)


def _wait_until_ready(server: str, port: int) -> None:
    """Wait for a response: our agent listens on its port before it can answer."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=READY_S) as card:
                card.sendall(_request("GET", "/.well-known/agent-card.json"))
                if card.recv(15).startswith(b"HTTP/1.1 200"):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise SystemExit(f"bench.{server} does not answer on port {port}")


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _alternating(
    kinds: Sequence[Kind], rounds: int, measure: Callable[[Kind], Result]
) -> Results:
    """Measure all kinds in each round: a slow phase of the machine affects all."""
    results: Results = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind in kinds:
            results[kind].append(measure(kind))
    return results


def _median(results: Sequence[Result], of: Callable[[Result], float], form: str) -> str:
    """Format the median of the complete runs."""
    values = [of(result) for result in results if result.complete]
    return form.format(median(values)) if values else "–"


def _ratio(results: Results, kind: Kind) -> str:
    """Format how much faster than the plain agent it is, within each round."""
    ratios = [
        ours.per_s / plain.per_s
        for ours, plain in zip(results[kind], results[PLAIN], strict=True)
        if ours.complete and plain.complete
    ]
    return f"× {median(ratios):.1f}" if ratios else "–"


def _cut_off(results: Sequence[Result]) -> str:
    cut = sum(not result.complete for result in results)
    return f"cut off in {cut} of {len(results)} rounds" if cut else ""


if __name__ == "__main__":
    main()
