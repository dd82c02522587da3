"""What a reader has seen outlives a power cut: the log is synced before it is shown.

A flooded host writes through power_cut.c, which keeps what was synced; the cut puts
that in the log's place.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from tests.support.faulty_libc import NoCompiler, compiled
from tests.support.feed_reader import FeedReader
from tests.support.flood import check_each_once, kept_in, server
from tests.support.harness import THOROUGH, Server, free_port, live, until

ROUNDS = 10 if THOROUGH else 3
CONTROL_ROUNDS = 5
RATE = 2_000
LEAST_SEEN = 100
LIFE_S = (0.2, 0.8)
SEED = 20261123
SECTOR = 512
HUNG_UP_S = 5.0


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return compiled("power_cut", tmp_path_factory.mktemp("shim"))
    except NoCompiler as reason:
        pytest.skip(str(reason))


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    """No host outlives a test that failed."""
    yield
    for process in list(live):
        process.kill()


class Disk:
    """The folder that a host writes to, and what of it was synced."""

    def __init__(self, folder: Path, shim: Path) -> None:
        self.data, self._synced = folder / "data", folder / "synced"
        for made in (self.data, self._synced):
            made.mkdir()
        self.env = {
            "LD_PRELOAD": str(shim),
            "POWER_CUT_DIR": str(self.data),
            "POWER_CUT_SHADOW": str(self._synced),
        }

    def lose_power(self, chance: random.Random | None = None) -> None:
        """Leaves what was synced; with `chance` any part of what was not, too."""
        after = {path.name: path.read_bytes() for path in self._synced.iterdir()}
        if chance:
            for name, synced in after.items():
                written = (self.data / name).read_bytes()
                after[name] = _partly(synced, written, chance)
        shutil.rmtree(self.data)
        self.data.mkdir()
        for name, content in after.items():
            (self.data / name).write_bytes(content)
            (self._synced / name).write_bytes(content)


def _partly(synced: bytes, written: bytes, chance: random.Random) -> bytes:
    """A disk writes what it was not told to sync in any order, or never."""
    size = chance.randint(*sorted((len(synced), len(written))))
    sectors = []
    for start in range(0, size, SECTOR):
        either = (synced, written)[chance.random() < 0.5]
        sector = either[start : start + SECTOR].ljust(SECTOR, b"\0")
        sectors.append(sector)
    return b"".join(sectors)[:size]


@asynccontextmanager
async def reading(port: int) -> AsyncIterator[FeedReader]:
    reader = FeedReader(port, "/feed")
    async with anyio.create_task_group() as group:
        group.start_soon(reader.run)
        yield reader
        group.cancel_scope.cancel()


async def live_and_die(host: Server, reader: FeedReader, life_s: float) -> None:
    """Returns when the reader has all that the host has sent it."""
    await anyio.to_thread.run_sync(host.restart)
    await anyio.sleep(life_s)
    host.kill()

    async def hung_up() -> bool:
        return not reader.connected

    await until(hung_up, HUNG_UP_S, "the reader to see the end of its connection")


@pytest.mark.parametrize("also_unsynced", [False, True])
async def test_what_a_reader_has_seen_is_in_the_log_after_a_power_cut(
    tmp_path: Path, shim: Path, also_unsynced: bool
) -> None:
    disk = Disk(tmp_path, shim)
    port = free_port()
    host = server(tmp_path, port, RATE)
    host.env |= disk.env
    moments = random.Random(SEED)  # noqa: S311 - no secret
    log: dict[int, bytes] = {}
    gone = 0
    async with reading(port) as reader:
        for _ in range(ROUNDS):
            await live_and_die(host, reader, moments.uniform(*LIFE_S))
            written = len(await kept_in(disk.data))
            disk.lose_power(moments if also_unsynced else None)
            before, log = log, await kept_in(disk.data)
            gone += written - len(log)
            assert reader.odd == []
            assert reader.ids == list(range(1, len(reader.ids) + 1))
            assert list(log.values())[: len(reader.ids)] == reader.bodies
            assert list(log.items())[: len(before)] == list(before.items())
            check_each_once(log)
    print(f"\n{len(reader.ids)} events seen, {gone} unseen lost")  # noqa: T201
    assert len(reader.ids) > ROUNDS * LEAST_SEEN


@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
async def test_a_log_that_syncs_less_loses_events_that_a_reader_has_seen(
    tmp_path: Path, shim: Path, synchronous: str
) -> None:
    """Shows that the cut is one: else the test above would prove nothing."""
    moments = random.Random(SEED)  # noqa: S311 - no secret
    for number in range(CONTROL_ROUNDS):
        folder = tmp_path / str(number)
        folder.mkdir()
        disk = Disk(folder, shim)
        port = free_port()
        host = server(folder, port, RATE, f"--synchronous={synchronous}")
        host.env |= disk.env
        async with reading(port) as reader:
            await live_and_die(host, reader, moments.uniform(*LIFE_S))
        disk.lose_power()
        log = await kept_in(disk.data)
        print(f"\n{len(reader.ids)} events seen, {len(log)} synced")  # noqa: T201
        if reader.bodies != list(log.values())[: len(reader.ids)]:
            return
    pytest.fail(f"{CONTROL_ROUNDS} power cuts lost nothing: power_cut.c does not cut")
