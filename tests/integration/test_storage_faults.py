"""The host reports a failing disk of its log, recovers, and loses no event.

Real hosts: a full tmpfs, a file limit, faulty_libc.c, damaged files.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from host.log.sqlite_log import SqliteLog
from tests.support.failing_log import (
    health,
    libc_for,
    wait_for_failure,
    wait_for_recovery,
)
from tests.support.feed_reader import FeedReader
from tests.support.flood import check_each_once, flood_server, read_log_file
from tests.support.flood_host import LOG, TASKS, entry_of
from tests.support.full_disk import SmallDisk, SmallFiles, full_disk
from tests.support.harness import Process, Server, free_port, live_processes
from tests.support.host_client import client
from tests.support.waiting import wait_until

RATE = 1_000
SOME = 500
END_S = 3.0
OLD_EVENTS = 20_000


@pytest.fixture(autouse=True)
def kill_hosts() -> Iterator[None]:
    """Kill the hosts of a failed test."""
    yield
    for process in list(live_processes):
        process.kill()


@asynccontextmanager
async def reading(port: int) -> AsyncIterator[FeedReader]:
    reader = FeedReader(port, "/feed")
    async with anyio.create_task_group() as group:
        group.start_soon(reader.run)
        yield reader
        group.cancel_scope.cancel()


async def wait_for_events(reader: FeedReader, events: int) -> None:
    async def enough() -> bool:
        return len(reader.ids) >= events

    await wait_until(enough, f"{events} events", 60)


Break = tuple[Callable[[], None], Callable[[], None]]


@contextmanager
def broken_disk(how: str, host: Server, folder: Path) -> Iterator[Break]:
    """Yield functions that break and repair the disk of a host. Start it inside."""
    data = folder / "data"
    if how.startswith("E"):
        libc = libc_for(folder)
        host.env |= libc.env
        yield (lambda: libc.fail_writes(getattr(errno, how)), libc.allow_writes)
        return
    with full_disk(data, lambda: host.pid) as disk:
        if how == "file limit":
            disk = SmallFiles(lambda: host.pid)
        elif not isinstance(disk, SmallDisk):
            pytest.skip("only root can mount a tmpfs")
        yield disk.fill, disk.free


@pytest.mark.parametrize("how", ["tmpfs", "file limit", "EIO"])
async def test_failing_disk_is_reported_and_the_feed_continues_later(
    tmp_path: Path, how: str
) -> None:
    port = free_port()
    host = flood_server(tmp_path, port, RATE)
    with broken_disk(how, host, tmp_path) as (fail, heal):
        await anyio.to_thread.run_sync(host.restart)
        async with reading(port) as reader:
            await wait_for_events(reader, SOME)
            fail()
            cause = await wait_for_failure(host.url)
            assert LOG in cause
            stopped_at = (await health(host.url))[1]["head"]
            await wait_for_events(reader, stopped_at)
            async with reading(port) as new_reader:
                await wait_for_events(new_reader, stopped_at)
                await wait_until(
                    lambda: has_fault(new_reader), "a new reader's fault", 30
                )

            assert (await health(host.url))[1]["head"] == stopped_at
            assert json.loads(reader.faults[0])["cause"] == cause
            heal()
            await wait_for_recovery(host.url)
            await wait_for_events(reader, stopped_at + SOME)
        assert await anyio.to_thread.run_sync(host.terminate, END_S) == 0

        assert json.loads(reader.faults[-1]) == {"cause": None}
        assert reader.unexpected == []
        log = await read_log_file(tmp_path / "data")
    check_each_once(log)
    assert reader.bodies == list(log.values())[: len(reader.bodies)]
    assert host.output().count("log=failing") == 1, host.output()
    assert "Traceback" not in host.output()


async def has_fault(reader: FeedReader) -> bool:
    return bool(reader.faults)


async def test_host_with_a_full_disk_ends_in_time_and_continues_later(
    tmp_path: Path,
) -> None:
    host = flood_server(tmp_path, free_port(), RATE)
    with broken_disk("ENOSPC", host, tmp_path) as (fail, heal):
        await anyio.to_thread.run_sync(host.restart)
        fail()
        await wait_for_failure(host.url)
        code = await anyio.to_thread.run_sync(host.terminate, END_S)
        heal()

        assert code == 0
        assert "Traceback" not in host.output()
        assert "board=unsaved" in host.output()
        await anyio.to_thread.run_sync(host.restart)
        await wait_for_recovery(host.url)
        await anyio.to_thread.run_sync(host.terminate, END_S)
    check_each_once(await read_log_file(tmp_path / "data"))


async def fill(path: Path, count: int) -> None:
    log = SqliteLog(path)
    await log.append([entry_of(n % TASKS, n // TASKS + 1) for n in range(count)])
    await log.close()


def damage(path: Path) -> None:
    """Overwrite the middle of the file, which has old events."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"\xff" * 64 * 1024)


async def test_damage_found_while_the_host_runs_is_reported(tmp_path: Path) -> None:
    await fill(tmp_path / "data" / LOG, OLD_EVENTS)
    host = flood_server(tmp_path, free_port(), 0)
    await anyio.to_thread.run_sync(host.restart)
    await wait_for_recovery(host.url)

    damage(tmp_path / "data" / LOG)
    async with reading(int(host.url.rpartition(":")[2])) as reader:
        cause = await wait_for_failure(host.url)
        await wait_until(lambda: has_fault(reader), "the reader's fault", 30)

    assert "the file is damaged" in cause
    assert reader.ids == list(range(1, len(reader.ids) + 1))
    async with client(host.url) as http:
        assert (await http.get("/feed.ndjson?limit=10")).status_code == 200
        # The response ends with the error, so it skips no event.
        *events, error = map(
            json.loads, (await http.get("/feed.ndjson")).text.split("\n")[:-1]
        )
        assert [event["id"] for event in events] == list(range(1, len(events) + 1))
        assert error["error"]["message"] == cause
    assert host.output().count("log=unreadable") == 1
    assert await anyio.to_thread.run_sync(host.terminate, END_S) == 0


async def test_truncated_log_stops_the_start_with_one_line(
    tmp_path: Path,
) -> None:
    path = tmp_path / "data" / LOG
    await fill(path, 2_000)
    os.truncate(path, path.stat().st_size // 2)
    before = path.read_bytes()
    host = Process(
        "host",
        [
            sys.executable,
            "-m",
            "host",
            f"--port={free_port()}",
            f"--data-dir={path.parent}",
        ],
        folder=tmp_path,
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    host.start()

    assert await anyio.to_thread.run_sync(host.wait_end, 30.0) == 1
    (line,) = host.output().splitlines()
    assert line.startswith(f"courtside: {path}: cannot be opened: ")
    assert "damaged" in line
    assert path.read_bytes() == before
