"""`scripts/bench feed`: measures how fast the feed reaches its readers.

Compares the host with three servers: `limit` writes the same bytes with raw sockets,
`nchan` is nginx's pub/sub, `naive` is the code that most people would write. Prints
tables from one run, medians of alternating rounds. The server has one core, the load
client the other.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from bench.feed_processes import is_nchan_installed
from bench.feed_runner import Result, Runner, Scenario
from bench.table import print_table

FLOODS = {100: 20_000, 1_000: 10_000}
# Slow servers get fewer events, so that a run does not take minutes.
SLOWER = {"naive": 20, "nchan": 20}
MODEST = (Scenario(100, 1_000, 200), Scenario(1_000, 200, 40))
KINDS = ("limit", "nchan", "memory", "sqlite", "naive")


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench feed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("compare", "ours"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="courtside-bench-") as folder:
        runner = Runner(Path(folder))
        if given.only != "ours":
            compare(runner, given.rounds)
        if given.only != "compare":
            measure_ours(runner, given.rounds)


def compare(runner: Runner, rounds: int) -> None:
    """Put the same load on all servers."""
    kinds = [kind for kind in KINDS if kind != "nchan" or is_nchan_installed()]
    if "nchan" not in kinds:
        print("nchan is skipped: install nginx and libnginx-mod-nchan to measure it\n")
    columns = [f"flood, {readers} readers (events/s · CPU)" for readers in FLOODS] + [
        f"{s.rate}/s × {s.readers} (p50 / p99 ms · CPU)" for s in MODEST
    ]
    results: dict[tuple[str, int], list[Result]] = {}
    for _ in range(rounds):
        for column in range(len(columns)):
            for kind in kinds:
                result = runner.run(_server(kind), _scenario(kind, column))
                results.setdefault((kind, column), []).append(result)
    rows = [
        [kind, *(_cell(results[kind, c], c < len(FLOODS)) for c in range(len(columns)))]
        for kind in kinds
    ]
    print_table(["server", *columns], rows)
    _ratios(kinds, results, len(columns))


def _server(kind: str) -> str:
    return "ours" if kind in ("memory", "sqlite") else kind


def _scenario(kind: str, column: int) -> Scenario:
    log = "memory" if kind == "memory" else "sqlite"
    if column >= len(FLOODS):
        return replace(MODEST[column - len(FLOODS)], log=log)
    readers, events = list(FLOODS.items())[column]
    return Scenario(readers, events // SLOWER.get(kind, 1), log=log)


def _cell(results: Sequence[Result], flood: bool) -> str:
    lost = "" if all(r.complete for r in results) else " INCOMPLETE"
    cpu = median(r.cpu_us for r in results)
    if flood:
        return f"{median(r.per_s for r in results) / 1e6:.3f} M · {cpu:.2f} µs{lost}"
    p50 = median(r.p50_ms for r in results)
    p99 = median(r.p99_ms for r in results)
    return f"{p50:.1f} / {p99:.1f} · {cpu:.1f} µs{lost}"


def _ratios(
    kinds: Sequence[str], results: dict[tuple[str, int], list[Result]], columns: int
) -> None:
    """Compare the host with each other server, within each round."""
    rows = []
    for ours in ("memory", "sqlite"):
        for other in kinds:
            if other in ("memory", "sqlite"):
                continue
            row = [f"{ours} / {other}"]
            for column in range(columns):
                pairs = list(
                    zip(results[ours, column], results[other, column], strict=True)
                )
                if column < len(FLOODS):
                    speed = median(a.per_s / b.per_s for a, b in pairs)
                    row.append(f"speed ×{speed:.2f} · CPU ×{_cpu(pairs):.2f}")
                else:
                    p99 = median(a.p99_ms / b.p99_ms for a, b in pairs)
                    row.append(f"p99 ×{p99:.2f} · CPU ×{_cpu(pairs):.2f}")
            rows.append(row)
    print_table(["ratio", *("" for _ in range(columns))], rows)


def _cpu(pairs: Sequence[tuple[Result, Result]]) -> float:
    return median(a.cpu_us / max(b.cpu_us, 1e-9) for a, b in pairs)


def measure_ours(runner: Runner, rounds: int) -> None:
    """Measure the host alone: many readers, a slow reader, replay, append."""

    def runs(scenario: Scenario, kind: str = "ours") -> list[Result]:
        return [runner.run(kind, scenario) for _ in range(rounds)]

    crowd = runs(Scenario(5_000, 5_000, 1_000))
    idle = median(r.grown_kb for r in crowd) / 5_000
    alone = runs(Scenario(1_000, 200, 40))
    slow = runs(Scenario(1_001, 200, 40, slow=1))
    append = runs(Scenario(1, 200_000))
    replay = runs(Scenario(1, 100_000), "replay")
    rows = [
        ["1,000/s to 5,000 readers: p99", _ms(crowd)],
        ["… event loop delay, p99", _own(crowd, "stall_p99_ms", "ms")],
        ["memory per idle reader, of 5,000", f"{idle:.1f} kB"],
        ["40/s to 1,000 readers: p99", _ms(alone)],
        ["… with a reader that never reads", _ms(slow)],
        ["append into sqlite, 8 producers", _own(append, "append_per_s", "events/s")],
        ["… until visible, p50", _own(append, "visible_p50_ms", "ms")],
        ["… until visible, p99", _own(append, "visible_p99_ms", "ms")],
        ["replay of 100,000 events to one reader", f"{_speed(replay):,.0f} events/s"],
    ]
    print_table(["ours, sqlite", "median"], rows)


def _ms(results: Sequence[Result]) -> str:
    lost = "" if all(r.complete for r in results) else " INCOMPLETE"
    return f"{median(r.p99_ms for r in results):.1f} ms{lost}"


def _own(results: Sequence[Result], name: str, unit: str) -> str:
    return f"{median(r.own.get(name, 0) for r in results):,.1f} {unit}"


def _speed(results: Sequence[Result]) -> float:
    return median(r.per_s for r in results)
