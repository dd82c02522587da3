"""The contract of every log: trimming by count and by age."""

from __future__ import annotations

from host.log.contract import TRIM_BYTES, TRIM_STEP, Entry, Log
from tests.contract.clock import Clock
from tests.contract.entries import (
    ALL_OF_IT,
    batch,
    entry,
    everything,
    ids,
    rows,
)


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


class TestTrimByBytes:
    RAW = b'"%b"' % (b"x" * 100_000)

    def large(self, count: int, first: int = 1) -> list[Entry]:
        return [entry(n, raw=self.RAW) for n in range(first, first + count)]

    async def test_keeps_the_newest_that_fit(self, log: Log) -> None:
        await log.append(self.large(50))
        limit = await log.size() - 10 * len(self.RAW)

        dropped = 0
        while count := await log.trim(ALL_OF_IT, None, limit):
            dropped += count

        assert 10 <= dropped <= 12
        assert await log.size() <= limit
        assert await everything(log) == rows(*self.large(50))[dropped:]
        assert (await log.bounds()).first == dropped + 1

    async def test_drops_nothing_below_the_limit(self, log: Log) -> None:
        await log.append(self.large(5))

        assert await log.trim(ALL_OF_IT, None, await log.size()) == 0
        assert await log.trim(ALL_OF_IT, None, None) == 0

    async def test_drops_a_limited_size_per_call(self, log: Log) -> None:
        await log.append(self.large(400))

        dropped = await log.trim(ALL_OF_IT, None, 1)

        assert abs(dropped * len(self.RAW) - TRIM_BYTES) < 2 * len(self.RAW)
