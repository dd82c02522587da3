"""Runs the benchmark that `scripts/bench NAME` names: calls `main()` of its module."""

from __future__ import annotations

import importlib
import sys

BENCHMARKS = (
    "agent_memory",
    "agents",
    "bad_agent",
    "discovery",
    "feed",
    "idle",
    "ingest",
    "load",
    "orchestrator",
    "page",
    "transports",
)
OLD_NAMES = {"neighbours": "bad_agent", "conductor": "orchestrator"}


def main() -> None:
    name = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    name = OLD_NAMES.get(name, name)
    if name not in BENCHMARKS:
        sys.exit(f"usage: scripts/bench {'|'.join(BENCHMARKS)}")
    importlib.import_module(f"bench.{name}").main()


if __name__ == "__main__":
    main()
