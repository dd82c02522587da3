"""Injects random faults into agents and host, and compares all readers at the end.

`python -m tests.support.chaos` prints the result (scripts/chaos runs it). test_chaos.py
runs it for a short time. exactly_once.py has the faults of the agents, host_faults.py
those of the host.

        numbered_agents.py ⇒ fault_proxy.py ⇒ host ⇒ five readers
        killed,        cut, slow,      killed, stopped,   one slow, one that stalls
        stopped        stalled         its disk full,
                                       its clock set

An agent writes each update to a journal before it sends it. The journal survives the
agent. Three loops run at the same time: one starts tasks, one injects faults into the
agents, and one injects faults into the host.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import anyio
import anyio.to_thread

from tests.support.delivery_check import RunReport
from tests.support.exactly_once import (
    ALL,
    JOURNAL,
    run_proxied_agents,
)
from tests.support.faulty_libc import FaultyLibc, NoCompiler
from tests.support.feed_reader import FeedReader
from tests.support.full_disk import full_disk
from tests.support.host_faults import Chaos
from tests.support.stack import Stack


async def run(
    folder: Path, seconds: float, seed: int, which: Sequence[tuple[str, str]] = ALL
) -> RunReport:
    """Run for `seconds`. After a failure, `folder` contains wrong.json and the logs."""
    report = RunReport(seed, f"{seconds:.0f} s of chaos")
    began = time.monotonic()
    with ExitStack() as opened:
        agents = opened.enter_context(run_proxied_agents(folder, which))
        urls = {agent.name: agent.url_for_host for agent in agents}
        stack = Stack(folder, (), extra_agents=urls)
        disk = opened.enter_context(full_disk(stack.data_dir, lambda: stack.host.pid))
        libc = None
        try:
            libc = FaultyLibc(folder, stack.data_dir)
            stack.host.env |= libc.env
        except NoCompiler as reason:
            report.skipped.append(f"clock set: {reason}")
        if disk is None:
            report.skipped.append("disk full: needs tmpfs or a file size limit")
        opened.enter_context(stack)
        stack.wait_connected(*urls)
        chaos = Chaos(stack, agents, seed, disk, libc)
        async with anyio.create_task_group() as reading:
            for reader in chaos.readers:
                reading.start_soon(reader.run)
            await chaos.run_for(seconds)
            log = await chaos.settle()
            reading.cancel_scope.cancel()
        await chaos.check(report, log, folder / JOURNAL)
        report.fault_counts = chaos.fault_counts
        report.readers = len(chaos.readers)
        report.reader_connections = sum(reader.connections for reader in chaos.readers)
        report.events = len(log)
        report.cuts = sum(agent.proxy.counts.cuts for agent in agents)
        if report.wrong:
            _save_evidence(folder, report, log, chaos.readers)
    report.took_s = time.monotonic() - began
    return report


def _save_evidence(
    folder: Path,
    report: RunReport,
    log: dict[int, bytes],
    readers: Sequence[FeedReader],
) -> None:
    (folder / "feed.ndjson").write_bytes(b"\n".join(log.values()))
    (folder / "wrong.json").write_text(json.dumps(report.feeds, indent=1))
    for number, reader in enumerate(readers):
        (folder / f"reader-{number}.ndjson").write_bytes(b"\n".join(reader.bodies))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/chaos", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))  # noqa: S311
    parser.add_argument("--keep", action="store_true", help="keep the folder")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix=f"courtside-chaos-{given.seed}-"))
    try:
        report = anyio.run(run, folder, given.seconds, given.seed)
    except BaseException:
        traceback.print_exc()
        sys.exit(f"The run was not completed. The logs are in {folder}")
    sys.stdout.write(f"{report}\n")
    if report.wrong:
        sys.exit(f"Wrong: {', '.join(report.wrong)}; the logs are in {folder}")
    if given.keep:
        sys.stdout.write(f"The logs are in {folder}\n")
    else:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
