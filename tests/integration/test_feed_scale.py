"""Very many events: the host starts quickly and reads them all in little memory.

Fills a log like flood_host.py, then starts hosts on it.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import anyio
import anyio.to_thread
import httpx
import pytest

from host.feed.feed import CHECKPOINT_EVERY
from host.log.contract import Entry
from host.model.board import Board
from tests.support.feed_reader import FeedReader
from tests.support.flood import flood_server
from tests.support.flood_host import LOG, TASKS, RelaxedLog, entry_of
from tests.support.harness import THOROUGH, Server, free_port, live_processes
from tests.support.http_requests import read_events
from tests.support.process_memory import peak_mb
from tests.support.waiting import wait_until

EVENTS = 1_000_000 if THOROUGH else 200_000
BATCH = 10_000
BEHIND = 2 * CHECKPOINT_EVERY
"""Events after the last saved board, which the feed saves at most once a second."""
LAST_MESSAGES = [f"update {EVENTS // TASKS - 1}"] * TASKS
"""The last update of each task is an artifact."""
READY_S = 30.0
START_CPU_S = 2.0
"""CPU time, which does not depend on how busy the machine is."""
READ_S = 180.0
MAX_GROWTH_MB = 60.0


@pytest.fixture(scope="module")
async def folder(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all events, and the board as the feed last saved it."""
    path = tmp_path_factory.mktemp("scale")
    await fill(path / "data" / LOG)
    return path


async def fill(path: Path) -> None:
    log, board = RelaxedLog(path, "OFF"), Board()
    for start in range(0, EVENTS, BATCH):
        entries = [entry(index) for index in range(start, start + BATCH)]
        ids = await log.append(entries)
        assert ids[-1] == start + BATCH
        for last in entries[-2 * TASKS :]:
            board.fold(last.event)
        if start + BATCH == EVENTS - BEHIND:
            await log.save_checkpoint(start + BATCH, board.checkpoint())
    await log.close()


def entry(index: int) -> Entry:
    return entry_of(index % TASKS, index // TASKS + 1, raw=None)


@pytest.fixture(autouse=True)
def kill_hosts() -> Iterator[None]:
    """Kill the hosts of a failed test."""
    yield
    for process in list(live_processes):
        process.kill()


@pytest.fixture
async def host(folder: Path) -> AsyncIterator[Server]:
    running = flood_server(folder, free_port(), 0, fresh=True)
    await start(running)
    yield running
    running.kill()


async def start(host: Server) -> None:
    """Start the host. Print the time to its first response."""
    began = time.perf_counter()
    host.start()
    await anyio.to_thread.run_sync(host.wait_ready, host.ready_url, READY_S)
    say(f"ready after {time.perf_counter() - began:.2f} s, {cpu_s(host):.2f} s of CPU")
    assert cpu_s(host) < START_CPU_S


def cpu_s(host: Server) -> float:
    with suppress(FileNotFoundError):  # Without /proc only the deadline is left.
        fields = Path(f"/proc/{host.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def say(figure: str) -> None:
    print(f"\n{figure}", end="")  # noqa: T201


class Growth:
    """Measures the growth of a process's peak memory."""

    def __init__(self, host: Server) -> None:
        self._pid = host.pid
        peak_mb(self._pid)  # Skips the test if there is none.
        Path(f"/proc/{self._pid}/clear_refs").write_text("5")  # Resets the peak.
        self._before_mb = peak_mb(self._pid)

    def mb(self) -> float:
        return peak_mb(self._pid) - self._before_mb


async def test_history_streams_every_event_in_order_with_little_memory(
    host: Server,
) -> None:
    growth = Growth(host)
    began = time.perf_counter()
    count, rest = 0, b""
    async with (
        httpx.AsyncClient(trust_env=False, timeout=READ_S) as client,
        client.stream("GET", f"{host.url}/feed.ndjson") as answer,
    ):
        async for data in answer.aiter_raw():
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                count += 1
                assert line.startswith(b'{"id":%d,' % count)
    assert (count, rest) == (EVENTS, b"")
    say(f"history: {EVENTS / (time.perf_counter() - began):,.0f} events/s")
    say(f"history: {growth.mb():.1f} MB more at its peak")
    assert growth.mb() < MAX_GROWTH_MB


class Counter(FeedReader):
    """Reads the feed, and checks the order of its events."""

    last = 0

    def on_event(self, event_id: int, body: bytes) -> None:
        assert event_id == self.last + 1
        assert body.startswith(b'{"id":%d,' % event_id)
        self.last = event_id


async def test_reader_from_the_start_gets_every_event_in_order(
    host: Server,
) -> None:
    growth = Growth(host)
    reader = Counter(int(host.url.rpartition(":")[2]), "/feed")
    began = time.perf_counter()

    async def has_all() -> bool:
        return reader.last == EVENTS

    async with anyio.create_task_group() as group:
        group.start_soon(reader.run)
        await wait_until(has_all, "the reader to have all events", READ_S)
        group.cancel_scope.cancel()
    say(f"reader: {EVENTS / (time.perf_counter() - began):,.0f} events/s")
    say(f"reader: {growth.mb():.1f} MB more at its peak")
    assert reader.unexpected == []
    assert growth.mb() < MAX_GROWTH_MB


async def test_host_without_a_saved_board_rebuilds_it_from_all_events(
    folder: Path,
) -> None:
    log = RelaxedLog(folder / "data" / LOG, "OFF")
    await log.save_checkpoint(0, Board().checkpoint())
    await log.close()
    host = flood_server(folder, free_port(), 0, fresh=True)
    await start(host)
    assert await last_messages(host) == LAST_MESSAGES
    await anyio.to_thread.run_sync(host.kill)
    await start(host)
    assert await anyio.to_thread.run_sync(host.terminate) == 0
    await start(host)  # With the board that the previous host saved at its end.
    assert await last_messages(host) == LAST_MESSAGES


async def last_messages(host: Server) -> list[str]:
    """Return the last message of each task on the board."""
    (snapshot,) = await read_events(f"{host.url}/feed", until=bool)
    return [task["message"] for task in snapshot.data["tasks"]]
