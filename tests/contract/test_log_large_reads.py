"""The log of a file returns large events in several reads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from host.log.contract import READ_BYTES, Entry
from host.log.sqlite_log import SqliteLog
from host.model.event import TaskEvent
from tests.contract.entries import event_of


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    log = SqliteLog(tmp_path / "feed.db")
    yield log
    await log.close()


def large(version: int, size: int) -> Entry:
    """Build an entry whose event has `size` bytes."""
    event = event_of("carly/t1", version, "c1")
    assert isinstance(event, TaskEvent)
    around = len(Entry.of("carly/t1", version, replace(event, message="")).body)
    whole = replace(event, message="x" * (size - around))
    return Entry.of("carly/t1", version, whole)


async def test_next_read_has_the_events_over_the_limit(log: SqliteLog) -> None:
    await log.append([large(n, READ_BYTES // 4) for n in range(1, 7)])

    assert [row.id for row in await log.read(0, 100)] == [1, 2, 3, 4]
    assert [row.id for row in await log.read(4, 100)] == [5, 6]


async def test_event_over_the_limit_is_read_alone(log: SqliteLog) -> None:
    await log.append([large(1, READ_BYTES + 1), large(2, 1_000)])

    assert [row.id for row in await log.read(0, 100)] == [1]
    assert [row.id for row in await log.read(1, 100)] == [2]
