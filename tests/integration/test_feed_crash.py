"""No event is lost or repeated when the host is killed repeatedly under load.

A flooded host (flood_host.py) and six readers (feed_reader.py) that reconnect.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from tests.support.feed_reader import FeedReader, read_log
from tests.support.flood import check_each_once, flood_server, last_event_id
from tests.support.harness import THOROUGH, free_port, live_processes
from tests.support.waiting import wait_until

ROUNDS = 30 if THOROUGH else 8
RATE = 2_000
LEAST_RATE = 1_000
LIVES_S = (0.2, 0.8)
# Some lives are long enough for the feed to save its board.
LONG_LIFE_S, LONG_EVERY = 1.3, 5
# Some lives end during the start.
EARLY_KILL_S, EARLY_KILL_EVERY = (0.3, 0.9), 6
SEED = 20261123
CONNECT_S = 30.0
CAUGHT_UP_S = 60.0
FILTERED = ("/feed?agent=carly", "/tasks/stream")


class Lives:
    """A host that is started and killed under load, always on the same port."""

    def __init__(self, folder: Path) -> None:
        self.number = 0
        self.up_s = 0.0
        self.written = 0
        self.last_in_log: dict[int, int] = {}
        """The id of the last event in the log, by life."""
        self.readers: list[Witness] = []
        self.port = free_port()
        self._data = folder / "data"
        self._host = flood_server(folder, self.port, RATE)
        self._moments = random.Random(SEED)  # noqa: S311 - no secret

    async def live(self) -> None:
        for count in range(1, ROUNDS + 1):
            await self._live_once(count)
            if count % EARLY_KILL_EVERY == 0:
                await self._kill_during_start()
        self.number += 1

    async def _live_once(self, count: int) -> None:
        self.number += 1
        await anyio.to_thread.run_sync(self._host.restart)
        ready_at = time.monotonic()
        await wait_until(self._has_reader, "a reader to connect", CONNECT_S)
        life_s = self._moments.uniform(*LIVES_S)
        await anyio.sleep(LONG_LIFE_S if count % LONG_EVERY == 0 else life_s)
        self._host.kill()
        self.up_s += time.monotonic() - ready_at
        self.written += await self._count_new_events()

    async def _has_reader(self) -> bool:
        return any(reader.life == self.number for reader in self.readers)

    async def _kill_during_start(self) -> None:
        self.number += 1
        self._host.start()
        await anyio.sleep(self._moments.uniform(*EARLY_KILL_S))
        self._host.kill()
        await self._count_new_events()

    async def _count_new_events(self) -> int:
        """Return how many events the log gained in this life."""
        last = await last_event_id(self._data)
        self.last_in_log[self.number] = last
        return last - self.last_in_log.get(self.number - 1, 0)


class Witness(FeedReader):
    """Records the highest id from each life of the host."""

    def __init__(self, lives: Lives, target: str, *, slow: bool = False) -> None:
        super().__init__(lives.port, target, slow=slow)
        self.highest: dict[int, int] = {}
        self._lives = lives
        self.life = 0

    def on_connect(self) -> None:
        # A slow reader may read this life's bytes during the next one.
        self.life = self._lives.number

    def on_event(self, event_id: int, body: bytes) -> None:
        super().on_event(event_id, body)
        self.highest[self.life] = event_id


@pytest.fixture(autouse=True)
def kill_hosts() -> Iterator[None]:
    """Kill the hosts of a failed test."""
    yield
    for process in list(live_processes):
        process.kill()


async def test_readers_see_every_event_once_after_each_kill(
    tmp_path: Path,
) -> None:
    lives = Lives(tmp_path)
    readers = lives.readers = [
        *(Witness(lives, "/feed") for _ in range(3)),
        *(Witness(lives, target) for target in FILTERED),
        Witness(lives, "/feed", slow=True),
    ]
    async with anyio.create_task_group() as group:
        for reader in readers:
            group.start_soon(reader.run)
        await lives.live()
        calm = flood_server(tmp_path, lives.port, 0)
        await anyio.to_thread.run_sync(calm.restart)
        log = await read_log(calm.url)
        for reader in readers:
            reader.slow = False
        for reader in readers:
            await wait_until(
                caught_up(reader, log), f"{reader.target}'s end", CAUGHT_UP_S
            )
        assert await anyio.to_thread.run_sync(calm.terminate) == 0
        group.cancel_scope.cancel()

    rate = lives.written / lives.up_s
    print(f"\n{len(log)} events in {lives.number - 1} lives: {rate:.0f}/s")  # noqa: T201
    assert rate > LEAST_RATE
    check_each_once(log)
    for reader in readers:
        assert reader.unexpected == []
        wanted = reader.expected_from(log)
        assert reader.ids == [event_id for event_id, _ in wanted]
        assert reader.bodies == [body for _, body in wanted]
        assert len(reader.highest) > ROUNDS / 2
        for life, highest in reader.highest.items():
            assert highest <= lives.last_in_log.get(life, len(log))


def caught_up(reader: FeedReader, log: dict[int, bytes]) -> Callable[[], Any]:
    last, _ = reader.expected_from(log)[-1]

    async def has_the_last() -> bool:
        return last in reader.ids[-1:]

    return has_the_last
