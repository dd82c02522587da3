"""The good agents of bench/bad_agent.py and bench/load.py: each sends on a schedule.

Run them with `python -m bench.good_agents PORT PER_S [AGENTS UPDATES]`. The text of an
update is the time at which it was sent.
"""

from __future__ import annotations

import asyncio
import sys
import time

from tests.support.one_task_agent import OneTaskAgent
from tests.support.raw_agent import Exchange, serve

NAMES = ("good-1", "good-2", "good-3", "good-4")


class Steady(OneTaskAgent):
    """Sends `per_s` updates a second. The last of `updates` ends the task.

    The text of an update is `~` and the nanoseconds of CLOCK_MONOTONIC.
    """

    def __init__(self, per_s: float, updates: int = sys.maxsize) -> None:
        super().__init__()
        self._pause_s = 1 / per_s
        self._left = updates

    async def stream(self, exchange: Exchange) -> None:
        at = time.monotonic()
        while self._left:
            self._left -= 1
            self.over = not self._left
            at += self._pause_s
            await asyncio.sleep(max(at - time.monotonic(), 0))
            text = f"~{time.monotonic_ns():019d}"
            await exchange.send(exchange.event(self.update(text)))


def name_of(number: int) -> str:
    return f"good-{number}"


async def main(
    port: str, per_s: str, count: str = "4", updates: str = str(sys.maxsize)
) -> None:
    names = map(name_of, range(1, int(count) + 1))
    agents = {name: Steady(float(per_s), int(updates)) for name in names}
    await serve(int(port), lambda x: agents[x.name].handle(x))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
