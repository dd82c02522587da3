"""The contract of every log (host/log/contract.py), run on the memory and SQLite logs.

test_log_sqlite.py has the promises that only a log in a file can make.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from host.log.contract import TRIM_STEP, Entry, Log
from host.log.memory import MemoryLog
from host.log.sqlite import SqliteLog
from host.model.filter import ALL, Filter
from tests.contract.entries import (
    ALL_OF_IT,
    batch,
    entry,
    everything,
    ids,
    message,
    row,
    rows,
)


@pytest.fixture(params=["memory", "sqlite"])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Log]:
    opened: Log
    opened = MemoryLog() if request.param == "memory" else SqliteLog(tmp_path / "f.db")
    yield opened
    await opened.close()


class Clock:
    """Replaces `time.time`. Set `now` to move the clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_800_000_000.0
        monkeypatch.setattr(time, "time", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class TestIds:
    async def test_count_up_by_1_over_all_batches_and_sources(self, log: Log) -> None:
        assert await log.append(batch(2)) == [1, 2]
        assert await log.append([entry(1, "walter/t1"), entry(3)]) == [3, 4]
        assert await log.append([entry(1, "walter")]) == [5]
        assert await ids(log) == [1, 2, 3, 4, 5]

    async def test_have_no_hole_after_a_duplicate(self, log: Log) -> None:
        assert await log.append([entry(1), entry(1), entry(2)]) == [1, None, 2]
        assert await ids(log) == [1, 2]

    async def test_are_not_reused_after_all_events_are_trimmed(self, log: Log) -> None:
        await log.append(batch(3))
        await log.trim(0, None)

        assert await everything(log) == []
        assert await log.append(batch(2, first=4)) == [4, 5]
        assert await ids(log) == [4, 5]


class TestVersions:
    async def test_are_appended_once(self, log: Log) -> None:
        first = batch(2)
        await log.append(first)

        assert await log.append(batch(2)) == [None, None]
        assert await everything(log) == rows(*first)

    async def test_are_appended_once_within_a_batch(self, log: Log) -> None:
        twice = [entry(1), entry(1, "walter/t1"), entry(1), entry(2), entry(2)]

        assert await log.append(twice) == [1, 2, None, 3, None]

    async def test_below_the_highest_one_are_duplicates(self, log: Log) -> None:
        await log.append([entry(5)])

        assert await log.append([entry(4), entry(6), entry(5)]) == [None, 2, None]

    async def test_of_each_source_are_independent(self, log: Log) -> None:
        sources = ["carly", "carly/t1", "carly/t2", "walter/t1"]

        assert await log.append([entry(1, s) for s in sources]) == [1, 2, 3, 4]

    async def test_have_a_high_water_mark_per_source(self, log: Log) -> None:
        await log.append([*batch(3), entry(7, "walter/t1"), entry(2)])

        assert await log.high_water("carly/t1") == 3
        assert await log.high_water("walter/t1") == 7
        assert await log.high_water("carly") == 0

    async def test_stay_known_after_their_events_are_trimmed(self, log: Log) -> None:
        await log.append(batch(3))
        await log.trim(0, None)

        assert await log.high_water("carly/t1") == 3
        assert await log.append(batch(4)) == [None, None, None, 4]


class TestAppend:
    async def test_of_no_entries_changes_nothing(self, log: Log) -> None:
        before = await log.bounds()

        assert await log.append([]) == []
        assert await log.bounds() == before

    async def test_makes_events_readable_before_it_returns(self, log: Log) -> None:
        for version in range(1, 20):
            await log.append([entry(version)])
            assert len(await log.read(version - 1, 10)) == 1

    async def test_keeps_the_order_of_a_large_batch(self, log: Log) -> None:
        many = batch(5_000)
        await log.append(many)

        assert await everything(log) == rows(*many)

    async def test_keeps_the_order_of_large_and_small_updates(self, log: Log) -> None:
        raws = [bytes([n]) * (n % 3 * 600_000) for n in range(10)]
        many = [entry(n, raw=raw) for n, raw in enumerate(raws, 1)]
        await log.append(many)

        assert await everything(log) == rows(*many)
        assert [await log.raw(n) for n in range(1, 11)] == raws

    async def test_can_be_repeated_after_its_caller_was_cancelled(
        self, log: Log
    ) -> None:
        both = batch(2)
        with anyio.CancelScope() as cancelled:
            cancelled.cancel()
            await log.append(both)

        await log.append(both)

        assert await everything(log) == rows(*both)
        assert await log.append([entry(3)]) == [3]


class TestBounds:
    async def test_of_an_empty_log_are_1_to_0(self, log: Log) -> None:
        assert (await log.bounds())[1:] == (1, 0)

    async def test_are_the_first_and_last_kept_id(self, log: Log) -> None:
        await log.append(batch(5))
        assert (await log.bounds())[1:] == (1, 5)
        await log.trim(2, None)
        assert (await log.bounds())[1:] == (4, 5)
        await log.trim(0, None)
        assert (await log.bounds())[1:] == (6, 5)

    async def test_keep_their_epoch(self, log: Log) -> None:
        epoch = (await log.bounds()).epoch
        await log.append(batch(3))
        await log.trim(0, None)

        assert epoch
        assert epoch.isalnum()
        assert epoch == epoch.lower()
        assert (await log.bounds()).epoch == epoch

    async def test_of_another_log_have_another_epoch(
        self, log: Log, tmp_path: Path
    ) -> None:
        others: list[Log] = [MemoryLog(), SqliteLog(tmp_path / "other.db")]

        epochs = {(await each.bounds()).epoch for each in [log, *others]}

        for other in others:
            await other.close()
        assert len(epochs) == 3


class TestRead:
    async def test_returns_the_appended_rows(self, log: Log) -> None:
        given = [entry(1), entry(1, "walter"), message(1, "c9"), entry(2, context=None)]
        await log.append(given)

        assert await everything(log) == rows(*given)

    @pytest.mark.parametrize(
        ("after", "limit", "expected"),
        [
            (0, 3, [1, 2, 3]),
            (0, 99, [1, 2, 3, 4, 5]),
            (2, 2, [3, 4]),
            (4, 9, [5]),
            (5, 9, []),
            (99, 9, []),
            (0, 0, []),
        ],
    )
    async def test_starts_after_the_cursor_and_stops_at_the_limit(
        self, log: Log, after: int, limit: int, expected: list[int]
    ) -> None:
        await log.append(batch(5))

        assert [kept.id for kept in await log.read(after, limit)] == expected

    @pytest.mark.parametrize(
        ("before", "limit", "expected"),
        [
            (6, 3, [3, 4, 5]),
            (99, 99, [1, 2, 3, 4, 5]),
            (4, 2, [2, 3]),
            (2, 9, [1]),
            (1, 9, []),
            (0, 9, []),
            (6, 0, []),
        ],
    )
    async def test_of_tail_ends_before_the_cursor_with_the_oldest_first(
        self, log: Log, before: int, limit: int, expected: list[int]
    ) -> None:
        await log.append(batch(5))

        assert [kept.id for kept in await log.tail(before, limit)] == expected

    async def test_starts_at_the_first_kept_event(self, log: Log) -> None:
        await log.append(batch(5))
        await log.trim(2, None)

        assert await ids(log) == [4, 5]
        assert [kept.id for kept in await log.tail(5, 9)] == [4]


def only(**names: str) -> Filter:
    sets = {sort: frozenset(text.split()) for sort, text in names.items()}
    return Filter(**sets)


MIXED: list[Entry] = [
    entry(1),
    entry(1, "walter/t2", context="c2"),
    entry(1, "carly"),
    message(2, "c1"),
    message(3, "c2"),
    message(1, None, "logan"),
    entry(1, "walter/t1", context=None),
    entry(2, "walter/t1", context="c1"),
    entry(2),
    entry(2, "walter/t2", context="c2"),
    entry(4, "carly"),
    entry(3),
]


@pytest.mark.parametrize(
    "where",
    [
        ALL,
        only(agent="carly"),
        only(agent="carly logan"),
        only(agent="nobody"),
        only(task="t1"),
        only(task="t1 t2"),
        only(context="c1"),
        only(context="c2"),
        only(kind="task"),
        only(kind="agent message"),
        only(kind="gap"),
        only(agent="walter", task="t1"),
        only(agent="carly", kind="message"),
        only(agent="carly walter", task="t1", context="c1", kind="task"),
        only(context="c1", kind="message"),
    ],
    ids=lambda where: "+".join("/".join(sorted(wanted)) for wanted in where) or "all",
)
class TestFilter:
    async def test_of_read_returns_the_first_matching_rows(
        self, log: Log, where: Filter
    ) -> None:
        await log.append(MIXED)
        wanted = [kept for kept in rows(*MIXED) if where.matches(kept.place)]

        assert await log.read(0, ALL_OF_IT, where) == wanted
        assert await log.read(0, 2, where) == wanted[:2]
        assert await log.read(4, 2, where) == [k for k in wanted if k.id > 4][:2]

    async def test_of_tail_returns_the_last_matching_rows(
        self, log: Log, where: Filter
    ) -> None:
        await log.append(MIXED)
        wanted = [kept for kept in rows(*MIXED) if where.matches(kept.place)]

        assert await log.tail(ALL_OF_IT, ALL_OF_IT, where) == wanted
        assert await log.tail(ALL_OF_IT, 2, where) == wanted[-2:]
        assert await log.tail(9, 2, where) == [k for k in wanted if k.id < 9][-2:]


class TestLatest:
    async def test_is_the_last_event_of_each_matching_place(self, log: Log) -> None:
        await log.append(MIXED)
        states = only(kind="task agent")
        last = {r.place: r for r in rows(*MIXED) if states.matches(r.place)}
        wanted = sorted(last.values(), key=lambda kept: kept.id)

        assert await log.latest(0, states) == wanted
        assert await log.latest(9, states) == [k for k in wanted if k.id > 9]
        assert await log.latest(len(MIXED), states) == []

    async def test_omits_trimmed_events(self, log: Log) -> None:
        await log.append([entry(1), entry(1, "walter/t2"), entry(2, "walter/t2")])
        await log.trim(1, None)

        assert [kept.id for kept in await log.latest(0, ALL)] == [3]


class TestRaw:
    async def test_is_stored_unchanged(self, log: Log) -> None:
        raw = '{"task": {"id": "t1", "emoji": "🎾"}}'.encode()
        await log.append([entry(1), entry(2, raw=raw), entry(3, raw=b"")])

        assert await log.raw(1) is None
        assert await log.raw(2) == raw
        assert await log.raw(3) == b""

    async def test_is_none_for_an_unknown_event(self, log: Log) -> None:
        await log.append([entry(1, raw=b"{}")])

        assert [await log.raw(n) for n in (-1, 0, 2, 99)] == [None] * 4

    async def test_is_trimmed_with_its_event(self, log: Log) -> None:
        await log.append([entry(1, raw=b"1"), entry(2, raw=b"2")])
        await log.trim(1, None)

        assert await log.raw(1) is None
        assert await log.raw(2) == b"2"


class TestTrim:
    async def test_by_count_keeps_the_newest(self, log: Log) -> None:
        await log.append(batch(10))

        assert await log.trim(3, None) == 7
        assert await log.trim(3, None) == 0
        assert await everything(log) == rows(*batch(10))[-3:]

    async def test_by_count_drops_nothing_from_a_short_log(self, log: Log) -> None:
        await log.append(batch(3))

        assert await log.trim(3, None) == 0
        assert await log.trim(99, None) == 0
        assert await ids(log) == [1, 2, 3]

    async def test_by_age_drops_older_events(self, log: Log, clock: Clock) -> None:
        await log.append(batch(2))
        clock.now += 50
        await log.append(batch(2, first=3))
        clock.now += 40

        assert await log.trim(99, 100) == 0
        assert await log.trim(99, 60) == 2
        assert await ids(log) == [3, 4]

    async def test_by_age_can_drop_all_events(self, log: Log, clock: Clock) -> None:
        await log.append(batch(2))
        clock.now += 50

        assert await log.trim(99, 10) == 2
        assert (await log.bounds())[1:] == (3, 2)

    async def test_applies_both_the_count_and_the_age_limit(
        self, log: Log, clock: Clock
    ) -> None:
        await log.append(batch(4))
        clock.now += 50
        await log.append(batch(4, first=5))

        assert await log.trim(5, 10) == 4, "four are too old, only three too many"
        assert await log.trim(2, 10) == 2, "two are too many, none too old"

    async def test_by_count_drops_a_limited_number_per_call(self, log: Log) -> None:
        await log.append(batch(2 * TRIM_STEP + 10))

        dropped = [await log.trim(5, None) for _ in range(4)]

        assert dropped == [TRIM_STEP, TRIM_STEP, 5, 0]
        assert len(await ids(log)) == 5

    async def test_by_age_drops_a_limited_number_per_call(
        self, log: Log, clock: Clock
    ) -> None:
        await log.append(batch(TRIM_STEP + 5))
        clock.now += 50

        dropped = [await log.trim(ALL_OF_IT, 10) for _ in range(3)]

        assert dropped == [TRIM_STEP, 5, 0]

    async def test_of_an_empty_log_drops_nothing(self, log: Log) -> None:
        assert await log.trim(0, 0.0) == 0


class TestCheckpoint:
    async def test_of_a_new_log_is_none(self, log: Log) -> None:
        assert await log.checkpoint() is None

    async def test_is_the_last_saved_one(self, log: Log) -> None:
        await log.save_checkpoint(4, b"board at 4")
        await log.save_checkpoint(9, b"board at 9")

        assert await log.checkpoint() == (9, b"board at 9")

    async def test_stays_after_all_events_are_trimmed(self, log: Log) -> None:
        await log.append(batch(3))
        await log.save_checkpoint(3, b"board")
        await log.trim(0, None)

        assert await log.checkpoint() == (3, b"board")


async def test_readers_see_only_whole_batches_during_appends(log: Log) -> None:
    size, count = 50, 20
    lengths: list[int] = []

    async def read() -> None:
        while not lengths or lengths[-1] < size * count:
            lengths.append(len(await everything(log)))
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(read)
        for n in range(count):
            await log.append(batch(size, first=1 + n * size))

    assert all(length % size == 0 for length in lengths)
    assert lengths == sorted(lengths)


async def test_row_has_the_place_of_its_entry(log: Log) -> None:
    await log.append([entry(1, "carly/t7", context="c3")])

    [kept] = await everything(log)

    assert kept == row(1, entry(1, "carly/t7", context="c3"))
    assert kept.place == ("carly", "t7", "c3", "task")
