"""Events survive a power cut once a reader has seen them: the log is synced first.

A flooded host writes through power_cut.c, which copies the synced data. The power cut
replaces the log by this copy.
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

from tests.support.faulty_libc import NoCompiler, compile_library
from tests.support.feed_reader import FeedReader
from tests.support.flood import check_each_once, flood_server, read_log_file
from tests.support.harness import THOROUGH, Server, free_port, live_processes
from tests.support.waiting import wait_until

ROUNDS = 10 if THOROUGH else 3
CONTROL_ROUNDS = 5
RATE = 2_000
LEAST_SEEN = 100
READ_S = 30.0
LIFE_S = (0.2, 0.8)
SEED = 20261123
SECTOR = 512
DISCONNECT_S = 30.0


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return compile_library("power_cut", tmp_path_factory.mktemp("shim"))
    except NoCompiler as reason:
        pytest.skip(str(reason))


@pytest.fixture(autouse=True)
def kill_hosts() -> Iterator[None]:
    """Kill the hosts of a failed test."""
    yield
    for process in list(live_processes):
        process.kill()


class Disk:
    """The folder that a host writes to, and a copy of its synced data."""

    def __init__(self, folder: Path, shim: Path) -> None:
        self.data, self._synced = folder / "data", folder / "synced"
        for path in (self.data, self._synced):
            path.mkdir()
        self.env = {
            "LD_PRELOAD": str(shim),
            "POWER_CUT_DIR": str(self.data),
            "POWER_CUT_SHADOW": str(self._synced),
        }

    def lose_power(self, chance: random.Random | None = None) -> None:
        """Keep the synced data and, with `chance`, a random part of the rest."""
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
    """Mix sectors: a disk writes unsynced data in any order, or never."""
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


async def run_and_kill(host: Server, reader: FeedReader, life_s: float) -> None:
    """Kill the host after `life_s`. Return when the reader has read all its data."""
    before = len(reader.ids)

    async def has_read_enough() -> bool:
        return len(reader.ids) > before + LEAST_SEEN

    async def is_disconnected() -> bool:
        return not reader.connected

    await anyio.to_thread.run_sync(host.restart)
    await wait_until(has_read_enough, f"{LEAST_SEEN} events", READ_S)
    await anyio.sleep(life_s)
    host.kill()
    await wait_until(is_disconnected, "the reader to be disconnected", DISCONNECT_S)


@pytest.mark.parametrize("also_unsynced", [False, True])
async def test_events_seen_by_a_reader_survive_a_power_cut(
    tmp_path: Path, shim: Path, also_unsynced: bool
) -> None:
    disk = Disk(tmp_path, shim)
    port = free_port()
    host = flood_server(tmp_path, port, RATE)
    host.env |= disk.env
    moments = random.Random(SEED)  # noqa: S311 - no secret
    log: dict[int, bytes] = {}
    gone = 0
    async with reading(port) as reader:
        for _ in range(ROUNDS):
            await run_and_kill(host, reader, moments.uniform(*LIFE_S))
            written = len(await read_log_file(disk.data))
            disk.lose_power(moments if also_unsynced else None)
            before, log = log, await read_log_file(disk.data)
            gone += written - len(log)
            assert reader.unexpected == []
            assert reader.ids == list(range(1, len(reader.ids) + 1))
            assert list(log.values())[: len(reader.ids)] == reader.bodies
            assert list(log.items())[: len(before)] == list(before.items())
            check_each_once(log)
    print(f"\n{len(reader.ids)} events seen, {gone} unseen lost")  # noqa: T201
    assert len(reader.ids) > ROUNDS * LEAST_SEEN


@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
async def test_log_without_full_sync_loses_seen_events(
    tmp_path: Path, shim: Path, synchronous: str
) -> None:
    """A control: power_cut.c must really lose unsynced data."""
    moments = random.Random(SEED)  # noqa: S311 - no secret
    for number in range(CONTROL_ROUNDS):
        folder = tmp_path / str(number)
        folder.mkdir()
        disk = Disk(folder, shim)
        port = free_port()
        host = flood_server(folder, port, RATE, f"--synchronous={synchronous}")
        host.env |= disk.env
        async with reading(port) as reader:
            await run_and_kill(host, reader, moments.uniform(*LIFE_S))
        disk.lose_power()
        log = await read_log_file(disk.data)
        print(f"\n{len(reader.ids)} events seen, {len(log)} synced")  # noqa: T201
        if reader.bodies != list(log.values())[: len(reader.ids)]:
            return
    pytest.fail(f"{CONTROL_ROUNDS} power cuts lost nothing: power_cut.c does not cut")
