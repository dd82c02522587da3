"""The contract of every log (host/log/contract.py): ids, versions and appends.

Each test runs on the memory log and on the SQLite log. test_sqlite_log.py tests what
only a log in a file promises.
"""

from __future__ import annotations

from pathlib import Path

import anyio

from host.log.contract import Log
from host.log.memory_log import MemoryLog
from host.log.sqlite_log import SqliteLog
from host.model.filter import Filter
from tests.contract.entries import (
    batch,
    entry,
    entry_of_notice,
    entry_of_stalled_row,
    everything,
    ids,
    row,
    rows,
)


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


class TestNotices:
    async def test_have_no_number_and_are_appended_once(self, log: Log) -> None:
        notices = [entry_of_notice(1), entry_of_stalled_row(2)]
        await log.append([entry(1), *notices])
        ids_again = await log.append([*notices, entry(2)])

        assert ids_again == [None, None, 4]
        assert [kept.version for kept in await everything(log)] == [1, 0, 0, 2]
        assert await log.high_water("carly/t1") == 2
        assert await log.high_water("notices:carly/t1") == 2

    async def test_keep_the_row_of_the_task_current(self, log: Log) -> None:
        await log.append([entry(1), entry_of_notice(1), entry_of_stalled_row(2)])
        rows_only = Filter(kind=frozenset({"task"}))

        (last,) = await log.latest(0, rows_only)
        assert (last.id, last.version) == (3, 0)


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
