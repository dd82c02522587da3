"""Real hosts on a damaged log, and on a log whose file is moved while they run."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.to_thread
import pytest

from host.feed.feed import Feed
from host.log.sqlite_log import SqliteLog
from tests.support.cli import courtside
from tests.support.damage import LAST, delete, flip_bit, replace
from tests.support.feed_reader import FeedReader
from tests.support.flood import flood_server
from tests.support.flood_host import LOG, TASKS, entry_of
from tests.support.harness import Server, free_port, live_processes
from tests.support.host_client import Json, client
from tests.support.waiting import wait_until

RATE, END_S, DEADLINE_S = 200, 3.0, 30
OLD_EVENTS = 2_000


@pytest.fixture(autouse=True)
def kill_hosts() -> Iterator[None]:
    """Kill the hosts of a failed test."""
    yield
    for process in list(live_processes):
        process.kill()


async def fill(path: Path) -> None:
    """Write a log with a saved board."""
    log = SqliteLog(path)
    await log.append([entry_of(n % TASKS, n // TASKS + 1) for n in range(OLD_EVENTS)])
    feed = Feed(log)
    await feed.open()
    await feed.checkpoint()
    await log.close()


@asynccontextmanager
async def flooded_host(folder: Path, rate: int = RATE) -> AsyncIterator[Server]:
    host = flood_server(folder, free_port(), rate)
    await anyio.to_thread.run_sync(host.restart)
    yield host
    assert await anyio.to_thread.run_sync(host.terminate, END_S) == 0
    assert "Traceback" not in host.output()


async def health(host: Server) -> Json:
    async with client(host.url) as http:
        found: Json = (await http.get("/healthz")).json()
        return found


async def wait_for_head(host: Server, head: int) -> None:
    async def is_there() -> bool:
        return bool((await health(host))["head"] >= head)

    await wait_until(is_there, f"event {head}", DEADLINE_S)


async def wait_for_cause(host: Server, text: str) -> None:
    async def cause() -> bool:
        found = await health(host)
        return found["status"] == "failing" and text in found["cause"]

    await wait_until(cause, f"the cause {text!r}", DEADLINE_S)


@pytest.mark.parametrize(
    ("table", "column", "where", "cause"),
    [
        ("checkpoint", "board", "TRUE", None),
        ("event", "body", f"id = {LAST}", "is damaged"),
        ("event", "body", f"id = {LAST} - 9", "is damaged"),
        ("event", "body", "id = 50", "is damaged"),
    ],
    ids=["board", "newest event", "late event", "old event"],
)
async def test_damaged_log_is_reported_and_every_task_goes_on(
    tmp_path: Path, table: str, column: str, where: str, cause: str | None
) -> None:
    path = tmp_path / "data" / LOG
    await fill(path)
    flip_bit(path, table, column, where)
    async with flooded_host(tmp_path) as host:
        await wait_for_head(host, OLD_EVENTS + 5 * TASKS)
        reader = FeedReader(int(host.url.rpartition(":")[2]), "/feed")
        async with anyio.create_task_group() as group:
            group.start_soon(reader.run)
            if cause:
                await wait_for_cause(host, cause)
            else:
                await wait_until(lambda: has_read(reader, OLD_EVENTS), "events", 30)
            group.cancel_scope.cancel()

        for event_id, body in zip(reader.ids, reader.bodies, strict=True):
            assert json.loads(body)["id"] == event_id
        assert reader.ids == list(range(1, len(reader.ids) + 1))
        assert (await health(host))["cause"] is None or cause
        if cause:
            await check_export(host, tmp_path, len(reader.ids), cause)


async def check_export(host: Server, folder: Path, events: int, cause: str) -> None:
    """Expect that an export ends before the damage, and says so."""
    file = folder / "run.ndjson"
    done = await anyio.to_thread.run_sync(courtside, "export", host.url, "-o", file)
    assert done.returncode == 1
    assert cause in done.stderr
    assert f"{events} events are saved" in done.stderr
    assert len(file.read_text().splitlines()) == events


async def has_read(reader: FeedReader, count: int) -> bool:
    return len(reader.ids) > count


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [(delete, "deleted"), (replace, "replaced"), (cut_off, "cut off")],
)
@pytest.mark.parametrize("rate", [RATE, 0], ids=["busy", "idle"])
async def test_moved_file_is_reported_within_seconds(
    tmp_path: Path, spoil: Callable[[Path], None], cause: str, rate: int
) -> None:
    await fill(tmp_path / "data" / LOG)
    async with flooded_host(tmp_path, rate) as host:
        if rate:
            await wait_for_head(host, OLD_EVENTS + TASKS)
        spoil(tmp_path / "data" / LOG)

        with anyio.fail_after(10):
            await wait_for_cause(host, f"{cause} while the host runs")
