"""Owns the four good agents of the neighbours benchmark: each tells on a timetable.

`python -m bench.good_agents PORT PER_S`; the text of an update is the nanosecond at
which it was sent. bench/neighbours.py starts it and reads what comes of it.
"""

from __future__ import annotations

import asyncio
import sys
import time

from tests.neighbours_streams import Neighbour
from tests.raw_agent import Exchange, serve

NAMES = ("good-1", "good-2", "good-3", "good-4")


class Steady(Neighbour):
    """`per_s` updates a second, each as `~` and CLOCK_MONOTONIC."""

    def __init__(self, per_s: float) -> None:
        super().__init__()
        self._pause_s = 1 / per_s

    async def stream(self, exchange: Exchange) -> None:
        at = time.monotonic()
        while True:
            at += self._pause_s
            await asyncio.sleep(max(at - time.monotonic(), 0))
            text = f"~{time.monotonic_ns():019d}"
            await exchange.send(exchange.event(self.update(text)))


async def main() -> None:
    agents = {name: Steady(float(sys.argv[2])) for name in NAMES}
    await serve(int(sys.argv[1]), lambda x: agents[x.name].play(x))


if __name__ == "__main__":
    asyncio.run(main())
