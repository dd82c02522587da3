"""The contract of every log: trimming by count and by age."""

from __future__ import annotations

from host.log.contract import TRIM_STEP, Log
from tests.contract.clock import Clock
from tests.contract.entries import (
    ALL_OF_IT,
    batch,
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
