"""Tests of one follower with a scripted agent."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

import anyio
import pytest
from a2a.utils.errors import UnsupportedOperationError

from host.clients.bindings.json_errors import UpdatesGone
from host.clients.bindings.types import Batch, Update
from host.errors import AgentUnreachable
from host.feed.feed import Feed
from host.following import task_reader
from host.following.task_repair import MAX_QUIET_CHECKS
from host.log.contract import Entry
from host.log.memory_log import MemoryLog
from host.merging import dropped_updates
from host.model.event import GapEvent
from tests.support.scripted_agent import (
    ScriptedConnection,
    Step,
    follow,
    make_follower,
    make_status,
    make_update,
    status,
    summarize,
    task,
)


async def summarize_follow(
    streams: list[list[Step]], tasks: list[Update], resumable: bool = False
) -> list[str]:
    return summarize(await follow(ScriptedConnection(streams, tasks, resumable)))


async def test_stream_that_ends_before_the_task_leaves_a_gap() -> None:
    events = await summarize_follow(
        [[task("WORKING", "one")]], [task("COMPLETED", "four", "one", "two")]
    )

    assert events == ["running one", "gap", "running two", "completed four"]


async def test_stream_that_ends_at_a_question_leaves_no_gap() -> None:
    events = await summarize_follow(
        [
            [task("WORKING", "one"), status("INPUT_REQUIRED", "Send?")],
            [task("INPUT_REQUIRED", "Send?", "one"), status("COMPLETED", "sent")],
        ],
        [task("INPUT_REQUIRED", "Send?", "one")],
    )

    assert events == ["running one", "input-required Send?", "completed sent"]


async def test_subscription_without_news_adds_nothing() -> None:
    events = await summarize_follow(
        [[task("WORKING", "one")], [task("WORKING", "one"), status("FAILED", "no")]],
        [task("WORKING", "one")],
    )

    assert events == ["running one", "error no"]


async def test_resumable_task_continues_after_its_last_number() -> None:
    connection = ScriptedConnection(
        [
            [status("WORKING", "one", 1), status("WORKING", "two", 2)],
            [AgentUnreachable("cut")],
            [status("WORKING", "three", 3), status("COMPLETED", "four", 4)],
        ],
        [task("WORKING", "two", "one", sequence=2)],
        resumable=True,
    )

    events = summarize(await follow(connection))

    assert connection.asked == [0, 2, 2]
    assert events == ["running one", "running two", "running three", "completed four"]


async def test_gap_counts_missing_updates_when_the_replay_is_refused() -> None:
    connection = ScriptedConnection(
        [
            [status("WORKING", "one", 1), AgentUnreachable("cut")],
            [UpdatesGone("gone")],
            [task("WORKING", "eight", sequence=8), status("COMPLETED", "nine", 9)],
        ],
        [],
        resumable=True,
    )
    connection.streams[1:3] = [[UpdatesGone("gone")], connection.streams[2]]

    events = summarize(await follow(connection))

    assert connection.asked == [0, 1, None]
    assert events[0] == "running one"
    assert events[1].startswith("gap ")
    assert events[2:] == ["running eight", "completed nine"]


async def test_restarted_host_continues_where_the_feed_ends() -> None:
    log = MemoryLog()
    first = ScriptedConnection([[status("WORKING", "one", 1)]], [], resumable=True)
    with pytest.raises(TimeoutError), anyio.fail_after(0.2):
        first.streams[0].append(AgentUnreachable("cut"))
        await follow_for_a_while(first, Feed(log))

    second = ScriptedConnection(
        [[status("WORKING", "two", 2), status("COMPLETED", "three", 3)]],
        [],
        resumable=True,
    )
    events = summarize(await follow(second, Feed(log)))

    assert second.asked == [1]
    assert events == ["running one", "running two", "completed three"]


async def follow_for_a_while(connection: ScriptedConnection, feed: Feed) -> None:
    """`follow` for a connection that never ends the task."""
    connection.streams += [[AgentUnreachable("cut")] for _ in range(99)]
    await follow(connection, feed)


async def test_agent_without_subscriptions_is_polled_without_gaps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_reader, "TASK_POLL_S", 0.001)
    connection = ScriptedConnection(
        [[UnsupportedOperationError()]],
        [
            task("WORKING", "one"),
            task("WORKING", "two", "one"),
            task("WORKING", "two", "one"),
            task("COMPLETED", "three", "one", "two"),
        ],
    )

    events = summarize(await follow(connection))

    assert connection.can_subscribe is False
    assert events == ["running one", "running two", "completed three"]


async def test_unusable_updates_are_counted_before_the_end() -> None:
    connection = ScriptedConnection(
        [
            [
                status("WORKING", "one"),
                Batch([], 3, "not JSON"),
                Batch([status("COMPLETED", "two")]),
            ]
        ],
        [],
    )

    events = summarize(await follow(connection))

    assert events == ["running one", "gap 3", "completed two"]


async def test_unusable_updates_are_counted_while_the_stream_continues(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dropped_updates, "DROPPED_REPORT_S", 0.001)

    class Waiting(ScriptedConnection):
        async def subscribe(
            self, task_id: str, after: int | None = None
        ) -> AsyncGenerator[Batch, None]:
            yield Batch([task("WORKING", "one")])
            yield Batch([], 3, "not JSON")
            while self.tasks:
                await anyio.sleep(0.001)
            yield Batch([status("COMPLETED", "three")])

    connection = Waiting([], [task("WORKING", "two", "one")])

    events = summarize(await follow(connection))

    assert events == ["running one", "gap 3", "running two", "completed three"]


async def test_dropped_updates_are_counted_although_the_task_has_ended_at_its_agent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dropped_updates, "DROPPED_REPORT_S", 0.2)

    class Flooding(ScriptedConnection):
        async def subscribe(
            self, task_id: str, after: int | None = None
        ) -> AsyncGenerator[Batch, None]:
            yield Batch([task("WORKING", "one")])
            for _ in range(100):
                yield Batch([], 1, "too many")
                await anyio.sleep(0.005)
            yield Batch([status("COMPLETED", "two")])

    connection = Flooding([], [task("COMPLETED", "two", "one")])

    events = await follow(connection)

    gaps = [event.missing or 0 for event in events if isinstance(event, GapEvent)]
    assert sum(gaps) == 100
    assert len(gaps) > 1, "reported while the flood continued"


async def test_updates_of_another_task_are_ignored() -> None:
    other = {
        "taskId": "t2",
        "contextId": "c1",
        "status": make_status("FAILED", "other"),
    }
    events = await summarize_follow(
        [[task("WORKING", "one"), make_update({"statusUpdate": other})]],
        [task("COMPLETED", "two", "one")],
    )

    assert "error other" not in events
    assert events[-1] == "completed two"


class TestQuietTask:
    """Its stream is open and silent, while GetTask would return news."""

    async def reads_after(self, watches: int, log: MemoryLog) -> int:
        connection = Silent([], [task("WORKING", "b", "a")])
        feed = Feed(log)
        await feed.open()
        async with anyio.create_task_group() as group:
            group.start_soon(feed.write)
            quiet = make_follower(connection, feed)
            group.start_soon(quiet.run)
            await connection.silent.wait()
            for _ in range(watches):
                quiet.check_quiet()
                await anyio.sleep(0.001)
            group.cancel_scope.cancel()
        return 1 - len(connection.tasks)

    async def test_is_read_after_a_minute(self) -> None:
        assert await self.reads_after(MAX_QUIET_CHECKS // 2, MemoryLog()) == 0
        assert await self.reads_after(MAX_QUIET_CHECKS * 2, MemoryLog()) == 1

    async def test_is_not_read_while_its_events_wait_for_the_log(self) -> None:
        """The Task would be in the feed before them."""
        assert await self.reads_after(10 * MAX_QUIET_CHECKS, StuckLog()) == 0


class Silent(ScriptedConnection):
    """Sends one update and keeps its stream open."""

    def __init__(self, streams: list[list[Step]], tasks: list[Update]) -> None:
        super().__init__(streams, tasks)
        self.silent = anyio.Event()

    async def subscribe(
        self, task_id: str, after: int | None = None
    ) -> AsyncGenerator[Batch, None]:
        yield Batch([task("WORKING", "a")])
        self.silent.set()
        await anyio.sleep_forever()


class StuckLog(MemoryLog):
    """Never commits."""

    async def append(self, entries: Sequence[Entry]) -> list[int | None]:
        await anyio.sleep_forever()
        return []
