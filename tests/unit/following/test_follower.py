"""One task's following, with an agent that says exactly what the test wants.

A real feed on a memory log; only the connection is played.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from typing import Any, cast

import anyio
import pytest
from a2a.utils.errors import TaskNotFoundError, UnsupportedOperationError

from host.clients.bindings.a2a_errors import UpdatesGone
from host.clients.bindings.types import Batch, Update
from host.clients.connection import Connection
from host.errors import AgentUnreachable
from host.feed.feed import Feed
from host.following import follower, task_reader
from host.following.agent_row import AgentRow
from host.following.follower import MAX_QUIET_CHECKS, Follower
from host.log.contract import Entry
from host.log.memory import MemoryLog
from host.model.event import Event, GapEvent, TaskEvent, decode
from host.model.filter import ALL
from host.protocol.a2a_objects import RESUMABLE
from host.protocol.a2a_parser import parse_response

Json = dict[str, Any]
Step = Update | Batch | Exception


def update(body: Json) -> Update:
    raw = json.dumps(body).encode()
    return Update(parse_response(raw), raw)


def said(text: str) -> Json:
    return {"messageId": text, "role": "ROLE_AGENT", "parts": [{"text": text}]}


def status(state: str, text: str) -> Json:
    return {"state": f"TASK_STATE_{state}", "message": said(text)}


def number(sequence: int | None) -> Json:
    return {"metadata": {RESUMABLE: {"sequence": sequence}}} if sequence else {}


def live(state: str, text: str, sequence: int | None = None) -> Update:
    body = {"taskId": "t1", "contextId": "c1", "status": status(state, text)}
    return update({"statusUpdate": body | number(sequence)})


def snapshot(state: str, text: str, *past: str, sequence: int | None = None) -> Update:
    history = [said(words) for words in past]
    task = {"id": "t1", "status": status(state, text), "history": history}
    return update({"task": task | number(sequence)})


class Script:
    """A connection that plays streams and GetTask answers from lists."""

    can_stream = True

    def __init__(
        self, streams: list[list[Step]], tasks: list[Update], resumable: bool = False
    ) -> None:
        self.streams = streams
        self.tasks = tasks
        self.is_resumable = resumable
        self.can_subscribe = True
        self.asked: list[int | None] = []
        self.stream_slots = anyio.Semaphore(1)

    async def wait_to_open(self) -> None: ...

    async def subscribe(
        self, task_id: str, after: int | None = None
    ) -> AsyncGenerator[Batch, None]:
        self.asked.append(after)
        if not self.streams:
            raise AgentUnreachable("refused: nothing listens there")
        for step in self.streams.pop(0):
            if isinstance(step, Exception):
                raise step
            yield step if isinstance(step, Batch) else Batch([step])

    async def get_task(self, task_id: str) -> Update:
        if not self.tasks:
            raise TaskNotFoundError
        return self.tasks.pop(0)


class NoPresence:
    """An agent whose row nobody looks at."""

    left_out = 0
    name = "carly"
    left_out = 0

    def __init__(self) -> None:
        self.troubles: list[str] = []

    async def set_connected(self, connection: Connection) -> None: ...

    async def report_trouble(self, trouble: str) -> None:
        self.troubles.append(trouble)


async def followed(script: Script, feed: Feed | None = None) -> list[Event]:
    """What the feed has when the following has ended."""
    feed = feed or Feed(MemoryLog())
    await feed.open()
    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        agent_row = cast(AgentRow, NoPresence())
        with anyio.fail_after(10):
            await Follower("t1", cast(Connection, script), feed, agent_row).run()
        feed.close()
    return [decode(row.body) for row in await feed.history(0, None, 100, ALL)]


async def told(
    streams: list[list[Step]], tasks: list[Update], resumable: bool = False
) -> list[str]:
    """`status message` of each row, or `gap`, with the count where there is one."""
    return words_of(await followed(Script(streams, tasks, resumable)))


def words_of(events: list[Event]) -> list[str]:
    words = []
    for event in events:
        if isinstance(event, GapEvent):
            known = isinstance(event.missing, int)
            words.append(f"gap {event.missing}" if known else "gap")
        elif isinstance(event, TaskEvent):
            words.append(f"{event.status} {event.message}")
    return words


async def test_a_stream_that_ends_cleanly_in_the_middle_leaves_a_gap() -> None:
    events = await told(
        [[live("WORKING", "one")]], [snapshot("COMPLETED", "four", "one", "two")]
    )

    assert events == ["running one", "gap", "running two", "completed four"]


async def test_a_stream_that_ends_where_the_agent_asks_leaves_none() -> None:
    events = await told(
        [
            [live("WORKING", "one"), live("INPUT_REQUIRED", "Send?")],
            [snapshot("INPUT_REQUIRED", "Send?", "one"), live("COMPLETED", "sent")],
        ],
        [snapshot("INPUT_REQUIRED", "Send?", "one")],
    )

    assert events == ["running one", "input-required Send?", "completed sent"]


async def test_a_subscription_that_shows_nothing_new_adds_nothing() -> None:
    events = await told(
        [[live("WORKING", "one")], [snapshot("WORKING", "one"), live("FAILED", "no")]],
        [snapshot("WORKING", "one")],
    )

    assert events == ["running one", "error no"]


async def test_a_resumable_task_is_taken_up_behind_its_last_number() -> None:
    script = Script(
        [
            [live("WORKING", "one", 1), live("WORKING", "two", 2)],
            [AgentUnreachable("cut")],
            [live("WORKING", "three", 3), live("COMPLETED", "four", 4)],
        ],
        [snapshot("WORKING", "two", "one", sequence=2)],
        resumable=True,
    )

    events = words_of(await followed(script))

    assert script.asked == [0, 2, 2]
    assert events == ["running one", "running two", "running three", "completed four"]


async def test_where_a_replay_is_refused_the_gap_says_how_much_is_missing() -> None:
    script = Script(
        [
            [live("WORKING", "one", 1), AgentUnreachable("cut")],
            [UpdatesGone("gone")],
            [snapshot("WORKING", "eight", sequence=8), live("COMPLETED", "nine", 9)],
        ],
        [],
        resumable=True,
    )
    script.streams[1:3] = [[UpdatesGone("gone")], script.streams[2]]

    events = words_of(await followed(script))

    assert script.asked == [0, 1, None]
    assert events[0] == "running one"
    assert events[1].startswith("gap ")
    assert events[2:] == ["running eight", "completed nine"]


async def test_a_host_that_comes_back_goes_on_where_the_feed_ends() -> None:
    log = MemoryLog()
    first = Script([[live("WORKING", "one", 1)]], [], resumable=True)
    with pytest.raises(TimeoutError), anyio.fail_after(0.2):
        first.streams[0].append(AgentUnreachable("cut"))
        await followed_for_a_while(first, Feed(log))

    second = Script(
        [[live("WORKING", "two", 2), live("COMPLETED", "three", 3)]], [], resumable=True
    )
    events = words_of(await followed(second, Feed(log)))

    assert second.asked == [1]
    assert events == ["running one", "running two", "completed three"]


async def followed_for_a_while(script: Script, feed: Feed) -> None:
    """`followed` for a script that never ends the task."""
    script.streams += [[AgentUnreachable("cut")] for _ in range(99)]
    await followed(script, feed)


async def test_an_agent_without_subscriptions_is_polled_without_gaps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_reader, "TASK_POLL_S", 0.001)
    script = Script(
        [[UnsupportedOperationError()]],
        [
            snapshot("WORKING", "one"),
            snapshot("WORKING", "two", "one"),
            snapshot("WORKING", "two", "one"),
            snapshot("COMPLETED", "three", "one", "two"),
        ],
    )

    events = words_of(await followed(script))

    assert script.can_subscribe is False
    assert events == ["running one", "running two", "completed three"]


async def test_what_cannot_be_used_is_counted_before_the_end() -> None:
    script = Script(
        [
            [
                live("WORKING", "one"),
                Batch([], 3, "not JSON"),
                Batch([live("COMPLETED", "two")]),
            ]
        ],
        [],
    )

    events = words_of(await followed(script))

    assert events == ["running one", "gap 3", "completed two"]


async def test_what_cannot_be_used_is_counted_while_the_stream_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(follower, "DROPPED_REPORT_S", 0.001)

    class Waiting(Script):
        async def subscribe(
            self, task_id: str, after: int | None = None
        ) -> AsyncGenerator[Batch, None]:
            yield Batch([live("WORKING", "one")])
            yield Batch([], 3, "not JSON")
            while self.tasks:
                await anyio.sleep(0.001)
            yield Batch([live("COMPLETED", "three")])

    script = Waiting([], [snapshot("WORKING", "two", "one")])

    events = words_of(await followed(script))

    assert events == ["running one", "gap 3", "running two", "completed three"]


async def test_what_is_still_to_be_read_is_counted_though_the_task_is_over_at_its_agent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(follower, "DROPPED_REPORT_S", 0.2)

    class Flooding(Script):
        async def subscribe(
            self, task_id: str, after: int | None = None
        ) -> AsyncGenerator[Batch, None]:
            yield Batch([live("WORKING", "one")])
            for _ in range(100):
                yield Batch([], 1, "too many")
                await anyio.sleep(0.005)
            yield Batch([live("COMPLETED", "two")])

    script = Flooding([], [snapshot("COMPLETED", "two", "one")])

    events = await followed(script)

    gaps = [event.missing or 0 for event in events if isinstance(event, GapEvent)]
    assert sum(gaps) == 100
    assert len(gaps) > 1, "told while it went on"


async def test_updates_of_another_task_are_not_taken_for_this_one() -> None:
    other = {"taskId": "t2", "contextId": "c1", "status": status("FAILED", "other")}
    events = await told(
        [[live("WORKING", "one"), update({"statusUpdate": other})]],
        [snapshot("COMPLETED", "two", "one")],
    )

    assert "error other" not in events
    assert events[-1] == "completed two"


class TestATaskThatSaysNothing:
    """Its stream is open and silent; the agent would say where it stands."""

    async def looks_after(self, watches: int, log: MemoryLog) -> int:
        script = Silent([], [snapshot("WORKING", "b", "a")])
        feed = Feed(log)
        await feed.open()
        async with anyio.create_task_group() as group:
            group.start_soon(feed.write)
            agent_row = cast(AgentRow, NoPresence())
            quiet = Follower("t1", cast(Connection, script), feed, agent_row)
            group.start_soon(quiet.run)
            await script.silent.wait()
            for _ in range(watches):
                quiet.check_quiet()
                await anyio.sleep(0.001)
            group.cancel_scope.cancel()
        return 1 - len(script.tasks)

    async def test_is_looked_at_after_a_minute(self) -> None:
        assert await self.looks_after(MAX_QUIET_CHECKS // 2, MemoryLog()) == 0
        assert await self.looks_after(MAX_QUIET_CHECKS * 2, MemoryLog()) == 1

    async def test_is_not_while_what_it_said_waits_for_the_log(self) -> None:
        """The look would be told before it."""
        assert await self.looks_after(10 * MAX_QUIET_CHECKS, StuckLog()) == 0


class Silent(Script):
    """Says one thing and leaves its stream open."""

    def __init__(self, streams: list[list[Step]], tasks: list[Update]) -> None:
        super().__init__(streams, tasks)
        self.silent = anyio.Event()

    async def subscribe(
        self, task_id: str, after: int | None = None
    ) -> AsyncGenerator[Batch, None]:
        yield Batch([live("WORKING", "a")])
        self.silent.set()
        await anyio.sleep_forever()


class StuckLog(MemoryLog):
    """Never says that something was written."""

    async def append(self, entries: Sequence[Entry]) -> list[int | None]:
        await anyio.sleep_forever()
        return []
