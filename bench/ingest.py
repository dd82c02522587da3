"""`scripts/bench ingest`: measures the cost of reading an agent's stream into the log.

Compares the host with the SDK's client and two simpler clients on the same stream.
Prints one table for each JSON binding, medians of alternating rounds. The reader has
one core, the agent the other.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.table import print_table
from tests.support.harness import Server, free_port

READER_CORE, AGENT_CORE = 0, 1
DEADLINE_S = 300
SDK = "sdk"
KINDS = {
    "sqlite": "the host, to the log on disk",
    "memory": "the host, to the log in memory",
    SDK: "the SDK's client, discarded",
    "sse": "httpx-sse and json, discarded",
    "raw": "httpx, bytes discarded",
}


@dataclass(frozen=True)
class Result:
    """One run of a reader: updates a second, and CPU per update in µs."""

    per_s: float
    cpu_us: float


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench ingest")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=20_000)
    given = parser.parse_args()
    os.sched_setaffinity(0, {AGENT_CORE})
    with tempfile.TemporaryDirectory(prefix="courtside-bench-") as folder:
        agent = _agent(Path(folder), given.updates)
        agent.start()
        try:
            agent.wait_ready(agent.ready_url)
            for binding in ("jsonrpc", "rest"):
                _compare(f"{agent.url}/{binding}", given.rounds, given.updates)
        finally:
            agent.kill()


def _compare(url: str, rounds: int, updates: int) -> None:
    results: dict[str, list[Result]] = {kind: [] for kind in KINDS}
    for _ in range(rounds):
        for kind in KINDS:
            results[kind].append(_read(kind, url, updates))
    binding = url.rpartition("/")[2]
    head = [f"{updates:,} updates, {binding}", "CPU per update", "updates per core"]
    print_table(
        [*head, "× SDK", "measured rate"], [_row(kind, results) for kind in KINDS]
    )


def _row(kind: str, results: dict[str, list[Result]]) -> list[str]:
    cpu_us = median(result.cpu_us for result in results[kind])
    # Within each round, so that a slow phase of the machine affects both.
    ratios = [
        other.cpu_us / ours.cpu_us
        for ours, other in zip(results[kind], results[SDK], strict=True)
    ]
    return [
        KINDS[kind],
        f"{cpu_us:.1f} µs",
        f"{1e6 / cpu_us:,.0f}/s",
        f"× {median(ratios):.1f}",
        f"{median(result.per_s for result in results[kind]):,.0f}/s",
    ]


def _read(kind: str, url: str, updates: int) -> Result:
    """Run a reader once, in its own process."""
    reader = subprocess.run(
        [sys.executable, "-m", "bench.ingest_readers", kind, url, str(updates)],
        cwd=Path(__file__).parent.parent,
        env=os.environ | {"OTEL_INSTRUMENTATION_A2A_SDK_ENABLED": "false"},
        stdout=subprocess.PIPE,
        timeout=DEADLINE_S,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {READER_CORE}),
    )
    spent = json.loads(reader.stdout)
    return Result(updates / spent["wall_s"], spent["cpu_s"] / updates * 1e6)


def _agent(folder: Path, updates: int) -> Server:
    port = free_port()
    return Server(
        "ingest_agent",
        [sys.executable, "-m", "bench.ingest_agent", str(port), str(updates)],
        folder=folder,
        url=f"http://127.0.0.1:{port}",
        ready_path="/rest/.well-known/agent-card.json",
    )


if __name__ == "__main__":
    main()
