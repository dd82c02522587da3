"""Owns `scripts/bench ingest`: what it costs to take an agent's stream into the log.

Prints one table for each JSON binding, medians of alternating rounds: the host next to
the SDK's own client on the same stream. The reader has one core, the agent the other.
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
    SDK: "the SDK's client, thrown away",
    "sse": "httpx-sse and json, thrown away",
    "raw": "httpx, bytes thrown away",
}


@dataclass(frozen=True)
class Result:
    """Of one reader: updates a second, and CPU of each in µs."""

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
    head = [f"{updates:,} updates, {binding}", "CPU each", "a core takes", "× SDK"]
    print_table([*head, "in fact"], [_row(kind, results) for kind in KINDS])


def _row(kind: str, results: dict[str, list[Result]]) -> list[str]:
    cpu_us = median(result.cpu_us for result in results[kind])
    # Within each round: a drift of the machine meets both.
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
    """One run of a reader, in a process of its own."""
    reader = subprocess.run(
        [sys.executable, "-m", "bench.ingesters", kind, url, str(updates)],
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
        "telling_source",
        [sys.executable, "-m", "bench.telling_source", str(port), str(updates)],
        folder=folder,
        url=f"http://127.0.0.1:{port}",
        ready_path="/rest/.well-known/agent-card.json",
    )


if __name__ == "__main__":
    main()
