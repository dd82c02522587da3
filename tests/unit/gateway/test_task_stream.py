"""A task's tape: numbers without a hole, or a word about what is not kept."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
import pytest

from host.clients.bindings.a2a_errors import UpdatesGone
from host.feed.feed import Feed
from host.gateway.task_stream import Tape
from host.gateway.task_updates import Numbered
from host.log.contract import Entry
from host.log.memory import MemoryLog
from host.model.event import TaskEvent
from host.model.filter import Filter
from host.protocol.a2a import RESUMABLE
from tests.contract.entries import NOW, entry
from tests.unit.feed.test_watch import running

ONE = Filter(task=frozenset(["t1"]))


def end(version: int) -> Entry:
    row = TaskEvent(
        agent="carly",
        task_id="t1",
        context_id="c1",
        status="completed",
        state="TASK_STATE_COMPLETED",
        progress=100,
        message="done",
        at=None,
        received_at=NOW,
    )
    return Entry.of("carly/t1", version, row)


async def numbers(
    updates: AsyncGenerator[list[Numbered]], count: int = 99
) -> list[int | None]:
    """To the end of the stream, or so many."""
    seen: list[int | None] = []
    with anyio.fail_after(5):
        async with aclosing(updates):
            async for some in updates:
                seen += [update.number for update in some]
                if len(seen) >= count:
                    break
    return seen


async def told(feed: Feed, first: int, last: int, task_id: str = "t1") -> None:
    source = f"carly/{task_id}"
    await feed.append([entry(n, source) for n in range(first, last + 1)])


async def test_follows_from_any_number_to_the_end_of_the_task() -> None:
    async with running() as feed:
        tape = Tape(feed, "carly", "t1")
        await told(feed, 1, 4)
        await told(feed, 1, 9, "t2")
        await feed.append([end(5)])

        for after in range(6):
            rest = await numbers(tape.follow(after))
            assert rest == [*range(after + 1, 6)]


async def test_a_long_task_is_not_read_from_its_beginning() -> None:
    reads: list[int] = []

    class Counting(MemoryLog):
        async def tail(self, before, limit, where=ONE):  # type: ignore[no-untyped-def]
            rows = await super().tail(before, limit, where)
            reads.append(len(rows))
            return rows

    async with running(Counting()) as feed:
        await told(feed, 1, 4_500)
        reads.clear()

        assert await numbers(Tape(feed, "carly", "t1").follow(4_400), 100)

    assert sum(reads) <= 1_000


@pytest.mark.parametrize("after", [0, 1, 2, 3, 7, 99])
async def test_a_number_that_is_not_kept_is_refused_with_those_that_are(
    after: int,
) -> None:
    log = MemoryLog()
    async with running(log) as feed:
        await told(feed, 1, 6)
        await log.trim(2, None)

        with pytest.raises(UpdatesGone) as gone:
            await numbers(Tape(feed, "carly", "t1").follow(after))

    assert gone.value.data == {"oldest": "5", "newest": "6"}
    assert f"update {after} is not kept: the host has 5 to 6" in str(gone.value)


async def test_of_a_task_that_is_trimmed_whole_its_last_number_still_counts() -> None:
    log = MemoryLog()
    async with running(log) as feed, anyio.create_task_group() as group:
        await told(feed, 1, 6)
        await told(feed, 1, 6, "t2")
        await log.trim(3, None)
        tape = Tape(feed, "carly", "t1")
        with pytest.raises(UpdatesGone):
            await numbers(tape.follow(5))
        seen: list[int | None] = []

        async def read() -> None:
            seen.extend(await numbers(tape.follow(6)))

        group.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        await feed.append([end(7)])
    assert seen == [7]


async def test_what_is_trimmed_under_a_slow_reader_is_said_and_never_skipped() -> None:
    log = MemoryLog()
    async with running(log) as feed:
        await told(feed, 1, 10)
        updates = Tape(feed, "carly", "t1").follow(0)
        async with aclosing(updates):
            await anext(updates)
            await told(feed, 11, 3_000)
            await log.trim(10, None)
            with pytest.raises(UpdatesGone):
                await numbers(updates)


async def test_the_task_comes_first_and_what_follows_has_the_next_number() -> None:
    async with running() as feed, anyio.create_task_group() as group:
        await told(feed, 1, 5)
        seen: list[Numbered] = []

        async def read() -> None:
            async with aclosing(Tape(feed, "carly", "t1").from_task()) as updates:
                async for some in updates:
                    seen.extend(some)

        group.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        await told(feed, 6, 7)
        await feed.append([end(8)])
    task = json.loads(seen[0].json)["task"]
    assert task["metadata"][RESUMABLE] == {"sequence": 5}
    assert task["status"]["message"]["parts"] == [{"text": "update 5"}]
    assert [update.number for update in seen] == [5, 6, 7, 8]
    assert seen[-1].ends


async def test_a_task_of_which_only_the_board_knows_is_a_task() -> None:
    log = MemoryLog()
    async with running(log) as feed:
        await told(feed, 1, 5)
        await told(feed, 1, 5, "t2")
        await log.trim(5, None)
        async with aclosing(Tape(feed, "carly", "t1").from_task()) as updates:
            (first,) = await anext(updates)

    assert first.number == 5
    assert json.loads(first.json)["task"]["status"]["state"] == "TASK_STATE_WORKING"
