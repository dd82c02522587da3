"""Fuzz tests: no bytes from the network crash or stall the code that reads them.

Valid inputs are changed at random. Each example has BATCH inputs, so `scripts/fuzz`
sends a million in some minutes. reading_path.py has the parts of the reading path.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import strategies as st

from tests.fuzz.many import MANY, fuzz, longest_s
from tests.fuzz.mutations import mutate
from tests.fuzz.reading_path import PARTS, Part

BATCH = 100 if MANY else 5
STALL_S = 0.05
TRIES = 4  # Of an input that stalls: garbage may have been collected meanwhile.


class TimedLoop(asyncio.SelectorEventLoop):
    """Knows the longest CPU time during which no other task could run."""

    longest_s = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[object] = []
        self.set_exception_handler(lambda _, context: self.errors.append(context))

    def _run_once(self) -> None:
        begun = time.thread_time()
        super()._run_once()  # type: ignore[misc]
        self.longest_s = max(self.longest_s, time.thread_time() - begun)

    def read(self, part: Part, seed: int, data: bytes) -> float:
        """Return the longest CPU time without a pause."""
        self.longest_s = 0.0
        random = Random(seed)  # noqa: S311 - the same again for the same seed
        self.run_until_complete(part.read(random, data))
        return self.longest_s


@pytest.fixture(scope="module")
def loop() -> Iterator[TimedLoop]:
    logging.disable(logging.WARNING)  # The host logs each bad request.
    loop = TimedLoop()
    yield loop
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("name", PARTS)
@fuzz(st.randoms(use_true_random=True), inputs=BATCH)
def test_any_bytes_are_read_or_refused_without_a_stall(
    name: str, loop: TimedLoop, random: Random
) -> None:
    part = PARTS[name]
    for _ in range(BATCH):
        data, seed = mutate(random, part.seeds), random.randrange(2**64)
        try:
            stall_s = _read(loop, part, seed, data)
        except Exception as error:
            raise AssertionError(f"{error!r} after the input {data!r}") from error
        longest_s[name] = max(longest_s[name], stall_s)
        assert not loop.errors, f"{loop.errors} after the input {data!r}"
        assert stall_s <= STALL_S, f"{stall_s:.3f} s for the input {data!r}"


def _read(loop: TimedLoop, part: Part, seed: int, data: bytes) -> float:
    stall_s = loop.read(part, seed, data)
    for _ in range(1, TRIES):
        if stall_s <= STALL_S:
            break
        gc.collect()
        stall_s = min(stall_s, loop.read(part, seed, data))
    return stall_s
