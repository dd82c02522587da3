"""Tests of host/feed/commit_queue.py: the log refuses some entries forever.

The log is a SQLite file, because its limits are tested.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import anyio
import pytest
from msgspec.structs import replace

from host.errors import LogError, LogRefused
from host.feed import commit_queue
from host.feed.feed import Feed
from host.feed.refused_entry import replace_refused
from host.log.contract import MAX_ROW_BYTES, Entry
from host.log.memory_log import MemoryLog
from host.log.sqlite_log import SqliteLog
from host.model.event import Event, GapEvent, TaskEvent, decode
from host.model.filter import ALL
from tests.contract.entries import batch, entry, entry_of_stalled_row, event_of, message

DEADLINE_S = 30
BIG = b'"%b"' % (b"x" * MAX_ROW_BYTES)
SQLITE_LIMIT = 100_000
LENGTH_LIMIT = 0  # sqlite3.SQLITE_LIMIT_LENGTH


@asynccontextmanager
async def writing_feed(log: SqliteLog | MemoryLog) -> AsyncIterator[Feed]:
    feed = Feed(log)
    await feed.open()
    with anyio.fail_after(DEADLINE_S):
        async with anyio.create_task_group() as group:
            group.start_soon(feed.write)
            yield feed
            feed.close()
    await log.close()


async def events_of(feed: Feed) -> list[Event]:
    return [decode(row.body) for row in await feed.history(0, None, 10_000, ALL)]


def text_of(event: Event) -> str:
    return str(getattr(event, "message", ""))


def gap_sources(events: Sequence[Event]) -> list[str]:
    return [f"{e.agent}/{e.task_id}" for e in events if isinstance(e, GapEvent)]


async def test_event_over_the_limit_becomes_a_gap_and_others_are_written(
    tmp_path: Path,
) -> None:
    async with writing_feed(SqliteLog(tmp_path / "feed.db")) as feed:
        good = batch(30)
        bad = [entry(n, "walter/t2", raw=BIG) for n in (1, 2)]
        await feed.append([*good[:10], bad[0], *good[10:20], bad[1], *good[20:]])

        events = await events_of(feed)
        assert gap_sources(events) == ["walter/t2"] * 2
        assert [text_of(e) for e in events if e.agent == "carly"] == [
            f"update {n}" for n in range(1, 31)
        ]
        assert f"{MAX_ROW_BYTES + 2 + len(bad[0].body):,} bytes" in text_of(events[10])
        assert feed.fault is None
        assert feed.head == 32
        assert await feed.committed_version("walter/t2") == 2


class LimitedConnection(sqlite3.Connection):
    """Refuses what is too long for SQLite, for Python 3.10, which has no setlimit."""

    def execute(self, sql: str, values: Any = ()) -> sqlite3.Cursor:
        if any(isinstance(v, bytearray) and len(v) > SQLITE_LIMIT for v in values):
            raise sqlite3.DataError("string or blob too big")
        return super().execute(sql, values)


def open_limited(path: Path) -> SqliteLog:
    """Open a log with a low limit of SQLite for the length of a value."""
    if not hasattr(sqlite3.Connection, "setlimit"):
        connect = partial(sqlite3.connect, factory=LimitedConnection)
        with mock.patch.object(sqlite3, "connect", connect):
            return SqliteLog(path)
    log = SqliteLog(path)
    set_limit: Any = getattr(log._writer, "setlimit", None)
    set_limit(LENGTH_LIMIT, SQLITE_LIMIT)
    return log


async def test_event_over_the_limit_of_sqlite_becomes_a_gap(tmp_path: Path) -> None:
    log = open_limited(tmp_path / "feed.db")
    async with writing_feed(log) as feed:
        too_big = b'"%b"' % (b"x" * SQLITE_LIMIT)
        bad = [entry(1, f"evil/t{n}", raw=too_big) for n in range(5)]
        good = batch(300)
        await feed.append([*bad[:2], *good[:100], *bad[2:], *good[100:]])

        events = await events_of(feed)
        assert gap_sources(events) == [f"evil/t{n}" for n in range(5)]
        assert [text_of(e) for e in events if e.agent == "carly"] == [
            f"update {n}" for n in range(1, 301)
        ]
        assert "too big" in text_of(events[0])
        assert feed.fault is None


@pytest.mark.parametrize(
    "bad",
    [
        replace(entry(1, "evil/t1"), version=2**80),
        replace(entry(1, "evil/t1"), source="evil/\ud800"),
    ],
    ids=["number too large", "no valid text"],
)
async def test_event_with_values_that_sqlite_cannot_store_stops_nobody(
    tmp_path: Path, bad: Entry
) -> None:
    async with writing_feed(SqliteLog(tmp_path / "feed.db")) as feed:
        await feed.append([bad])
        await feed.append(batch(3))

        assert [e.agent for e in await events_of(feed)] == ["carly"] * 3
        assert feed.fault is None


async def test_end_of_a_task_is_kept_without_its_large_texts(tmp_path: Path) -> None:
    row = event_of("carly/t1", 1, "c1")
    assert isinstance(row, TaskEvent)
    end = replace(row, status="completed", result="x" * (MAX_ROW_BYTES + 1))
    async with writing_feed(SqliteLog(tmp_path / "feed.db")) as feed:
        await feed.append([Entry.of("carly/t1", 1, end)])

        (kept,) = await events_of(feed)
        assert isinstance(kept, TaskEvent)
        assert kept.status == "completed"
        assert "refused" in (kept.message or "")
        assert not feed.board.open


@pytest.mark.parametrize("refused", [entry(1, "walter"), message(1, "c1")])
def test_event_without_a_task_says_what_is_missing(refused: Entry) -> None:
    instead = replace_refused(refused, LogRefused("too big"))

    assert instead
    assert (instead.source, instead.version) == (refused.source, refused.version)
    assert b"too big" in instead.body


def test_refused_row_of_a_notice_needs_no_gap() -> None:
    assert replace_refused(entry_of_stalled_row(1), LogRefused("too big")) is None


class BusyLog(MemoryLog):
    """Refuses entries of `evil`. Before that, each append fails once."""

    failures = 0
    fails = True

    async def append(self, entries: Sequence[Entry]) -> list[int | None]:
        self.fails = not self.fails
        if not self.fails:
            self.failures += 1
            raise LogError("database is locked")
        if any(e.place.kind == "task" and e.place.agent == "evil" for e in entries):
            raise LogRefused("not this one")
        return await super().append(entries)


async def test_failing_log_that_also_refuses_an_event_recovers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commit_queue, "RETRY_S", 0.001)
    log = BusyLog()
    async with writing_feed(log) as feed:
        await feed.append([*batch(3), entry(1, "evil/t1"), *batch(3, first=4)])

        events = await events_of(feed)
        assert [e.agent for e in events] == ["carly"] * 3 + ["evil"] + ["carly"] * 3
        assert feed.head == 7
        assert feed.fault is None
        assert log.failures > 3
