"""A host with the log of an old version, whose rows have very long results."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.to_thread
import httpx
import pytest

from host.feed.snapshots import MAX_SNAPSHOT_BYTES
from host.log.contract import Entry
from host.log.sqlite_log import SqliteLog
from host.model.event import TaskEvent
from tests.support.flood import flood_server
from tests.support.flood_host import LOG
from tests.support.harness import Server, free_port
from tests.support.http_requests import read_events
from tests.support.process_memory import memory_mb
from tests.support.waiting import wait_until

LARGE, SMALL = 40, 960
RESULT = "\u20ac" * 700_000
"""Over 2 MB in UTF-8."""
NOW = "2026-11-22T12:00:00.124Z"
STALLED = 50
MAX_GROWTH_MB = 64


def old_row(number: int) -> TaskEvent:
    """Build a row as an old version wrote it: `result` has the whole text."""
    return TaskEvent(
        agent="reports",
        task_id=f"t{number:04}",
        context_id="c1",
        status="completed",
        state="TASK_STATE_COMPLETED",
        progress=100,
        message="Done. " * 100,
        result=RESULT if number < LARGE else "short " * 100,
        message_id=f"m{number}",
        at=NOW,
        received_at=NOW,
    )


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Server]:
    (tmp_path / "data").mkdir()
    log = SqliteLog(tmp_path / "data" / LOG)
    for number in range(LARGE + SMALL):
        row = old_row(number)
        await log.append([Entry.of(f"reports/{row.task_id}", 1, row)])
    await log.close()
    running = flood_server(tmp_path, free_port(), 0, fresh=True)
    await anyio.to_thread.run_sync(running.start)
    await anyio.to_thread.run_sync(running.wait_ready, running.ready_url, 60.0)
    yield running
    running.kill()


async def test_snapshot_of_old_rows_is_small_and_the_history_has_the_whole(
    host: Server,
) -> None:
    (snapshot,) = await read_events(f"{host.url}/feed", until=bool)

    assert len(json.dumps(snapshot.data, ensure_ascii=False).encode()) < (
        MAX_SNAPSHOT_BYTES
    )
    rows = {row["task_id"]: row for row in snapshot.data["tasks"]}
    assert len(rows) + snapshot.data.get("tasks_left_out", 0) == LARGE + SMALL
    assert len(rows) > SMALL / 2
    newest = rows[f"t{LARGE + SMALL - 1:04}"]
    assert newest["shortened"] == {"message": 600, "result": 600}
    async with httpx.AsyncClient(base_url=host.url) as client:
        query = {"task": "t0000", "kind": "task", "limit": "1"}
        response = await client.get("/feed.ndjson", params=query)
        assert response.json()["result"] == RESULT
        again = await client.get(f"/feed/{response.json()['id']}")
        assert again.json()["event"]["result"] == RESULT


async def test_readers_that_join_and_do_not_read_cost_little_memory(
    host: Server,
) -> None:
    await read_events(f"{host.url}/feed", until=bool)
    before = memory_mb(host.pid)
    port = int(host.url.rpartition(":")[2])
    request = b"GET /feed HTTP/1.1\r\nHost: localhost\r\n\r\n"
    writers = []
    for _ in range(STALLED):
        # A small limit: the reader stops reading at once.
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
        writer.write(request)
        writers.append((reader, writer))

    async with httpx.AsyncClient(base_url=host.url, timeout=60) as client:

        async def have_joined() -> bool:
            state = (await client.get("/debug.json")).json()
            return int(state["readers"]) >= STALLED

        await wait_until(have_joined, "all readers to join", 60)
        (snapshot,) = await read_events(f"{host.url}/feed", until=bool)
        assert snapshot.event == "snapshot"
        assert (await client.get("/readyz")).status_code == 200
    assert memory_mb(host.pid) - before < MAX_GROWTH_MB
    for _, writer in writers:
        writer.close()
