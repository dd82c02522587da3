"""A short chaos run: every reader sees each update once and in order.

Real agents, a real host and real readers. scripts/chaos runs for three minutes.
"""

from __future__ import annotations

import random
from pathlib import Path

from tests.support.chaos import run
from tests.support.harness import THOROUGH

SECONDS = 8 if THOROUGH else 5
AGENTS = (("resumable", "JSONRPC"), ("plain", "HTTP+JSON"))


async def test_every_reader_sees_each_update_once_during_faults(
    tmp_path: Path,
) -> None:
    seed = random.randrange(1_000_000)  # noqa: S311

    report = await run(tmp_path, SECONDS, seed, AGENTS)

    assert not report.wrong, f"{report}\n{report.feeds}"
    assert report.fault_counts.total() > 2, report
    assert sum(counts.delivered for counts in report.counts.values()) > 0, report
