"""A short chaos: whatever breaks, every reader sees what was emitted, in order, once.

Real agents, a real host, real readers; scripts/chaos plays three minutes of it.
"""

from __future__ import annotations

import random
from pathlib import Path

from tests.support.chaos import run
from tests.support.harness import THOROUGH

SECONDS = 8 if THOROUGH else 5
AGENTS = (("resumable", "JSONRPC"), ("plain", "HTTP+JSON"))


async def test_whatever_breaks_every_reader_sees_what_was_emitted_once(
    tmp_path: Path,
) -> None:
    seed = random.randrange(1_000_000)  # noqa: S311

    tally = await run(tmp_path, SECONDS, seed, AGENTS)

    assert not tally.wrong, f"{tally}\n{tally.feeds}"
    assert tally.struck.total() > 2, tally
    assert sum(sums.told for sums in tally.sums.values()) > 0, tally
