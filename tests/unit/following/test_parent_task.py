"""Which task started another: said in each row, whenever it becomes known.

host/following/follower.py, with an agent that says exactly what the test wants.
"""

from __future__ import annotations

from typing import Any, cast

import anyio

from host.clients.bindings.types import Batch, Update
from host.clients.connection import Connection
from host.feed.feed import Feed
from host.following.agent_row import AgentRow
from host.following.follower import Follower
from host.log.contract import Log
from host.log.memory import MemoryLog
from host.model.event import TaskEvent, decode
from host.model.filter import ALL
from tests.unit.following.test_follower import NoPresence, Script, live

FIRST, LAST = live("WORKING", "one", 1), live("COMPLETED", "two", 2)


async def parents(log: Log, updates: list[Update], **adopted: int) -> list[Any]:
    """The parent in each row of the log, after a follower has told `updates`.

    It hears of the parent once it has told so many of them.
    """
    feed = Feed(log)
    await feed.open()
    script = Script([], [], resumable=True)
    agent_row = cast(AgentRow, NoPresence())
    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        follower = Follower("t1", cast(Connection, script), feed, agent_row)

        async def stream() -> Any:
            for number, update in enumerate(updates):
                if adopted.get("after") == number:
                    follower.set_parent("p1")
                yield Batch([update])
                if update is not updates[-1]:
                    await anyio.sleep(0.01)

        if adopted.get("after") == -1:
            follower.set_parent("p1")
        with anyio.fail_after(10):
            await follower.run(stream())
        feed.close()
    events = [decode(row.body) for row in await feed.history(0, None, 100, ALL)]
    return [e.parent_task_id or None for e in events if isinstance(e, TaskEvent)]


async def test_a_child_says_it_in_each_row() -> None:
    assert await parents(MemoryLog(), [FIRST, LAST], after=-1) == ["p1", "p1"]


async def test_a_task_that_nobody_started_through_the_host_does_not() -> None:
    assert await parents(MemoryLog(), [FIRST, LAST]) == [None, None]


async def test_a_task_that_was_found_first_says_it_as_soon_as_it_is_known() -> None:
    told = await parents(MemoryLog(), [FIRST, LAST], after=1)

    assert told == [None, "p1", "p1"]


async def test_it_is_kept_over_a_restart() -> None:
    log = MemoryLog()
    async with anyio.create_task_group() as group:
        feed = Feed(log)
        await feed.open()
        group.start_soon(feed.write)
        agent_row = cast(AgentRow, NoPresence())
        script = cast(Connection, Script([], [], resumable=True))
        follower = Follower("t1", script, feed, agent_row)
        follower.set_parent("p1")

        async def cut_off() -> Any:
            yield Batch([FIRST])
            await anyio.sleep_forever()

        with anyio.move_on_after(0.2):
            await follower.run(cut_off())
        feed.close()

    assert await parents(log, [LAST]) == ["p1", "p1"]
