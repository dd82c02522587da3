"""The contract of every log: reading, filters, latest events and raw updates."""

from __future__ import annotations

import pytest

from host.log.contract import Entry, Log
from host.model.filter import ALL, Filter
from tests.contract.entries import (
    ALL_OF_IT,
    batch,
    entry,
    everything,
    ids,
    message,
    rows,
)


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
