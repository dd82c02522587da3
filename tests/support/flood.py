"""Starts a host with many updates per second (flood_host.py), and checks its log."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from host.log.sqlite_log import SqliteLog
from host.model.event import with_id
from tests.support.flood_host import KEEP_EVENTS, LOG, TASKS
from tests.support.harness import Server


def flood_server(
    folder: Path, port: int, rate: int, *more: str, fresh: bool = False
) -> Server:
    """Return the process. Its log is in `folder`/data."""
    return Server(
        f"host-{rate}",
        [
            sys.executable,
            "-m",
            "tests.support.flood_host",
            f"--port={port}",
            f"--data-dir={folder / 'data'}",
            f"--rate={rate}",
            *more,
        ],
        folder=folder,
        url=f"http://127.0.0.1:{port}",
        ready_path="/healthz",
        fresh=fresh,
    )


async def read_log_file(folder: Path) -> dict[int, bytes]:
    """Return the events in the log of a data folder, as the feed's JSON by id."""
    async with _copy_of_log(folder) as log:
        rows = await log.read(0, KEEP_EVENTS)
    return {row.id: with_id(row.id, row.body) for row in rows}


async def last_event_id(folder: Path) -> int:
    """Return the id of the last event in the log of a data folder."""
    async with _copy_of_log(folder) as log:
        return (await log.bounds()).last


@asynccontextmanager
async def _copy_of_log(folder: Path) -> AsyncIterator[SqliteLog]:
    """Open a copy, so that the log stays unchanged for the next host."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        log = SqliteLog(Path(copy) / LOG)
        yield log
        await log.close()


def check_each_once(log: Mapping[int, bytes]) -> None:
    """Check a whole log: the ids, and the updates of each task, are 1, 2, 3 …"""
    assert list(log) == list(range(1, len(log) + 1))
    said: Counter[str] = Counter()
    for line in log.values():
        event = json.loads(line)
        task_id = event["task_id"]
        said[task_id] += 1
        text = (
            event["message"] if event["kind"] == "task" else event["parts"][0]["text"]
        )
        assert text == f"update {said[task_id]}", f"of {task_id}: {event}"
    assert len(said) == TASKS
