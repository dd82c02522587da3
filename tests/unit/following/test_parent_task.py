"""The parent task in the rows of a follower's task."""

from __future__ import annotations

from typing import Any

import anyio

from host.clients.bindings.types import Batch, Update
from host.feed.feed import Feed
from host.log.contract import Log
from host.log.memory_log import MemoryLog
from host.merging.follower_states import FollowerStates
from host.merging.task_events import TaskEvents
from host.model.event import TaskEvent
from host.model.timestamps import now
from host.protocol.a2a_objects import RESUMABLE
from host.protocol.task_record import TaskRecord
from host.protocol.translate import translate
from tests.support.scripted_agent import (
    ScriptedConnection,
    make_follower,
    make_update,
    read_events,
    status,
)

NUMBERED_CHUNK = make_update(
    {
        "artifactUpdate": {
            "taskId": "t1",
            "artifact": {"artifactId": "a", "parts": [{"text": "A"}]},
            "metadata": {RESUMABLE: {"sequence": 2}},
        }
    }
)
FIRST, LAST = status("WORKING", "one", 1), status("COMPLETED", "two", 2)


async def parents(log: Log, updates: list[Update], **set_parent: int) -> list[Any]:
    """Follow `updates`. Return the parent in each row of the log.

    The follower gets the parent after that many updates. -1 means before its start.
    """
    feed = Feed(log)
    await feed.open()
    connection = ScriptedConnection([], [], resumable=True)
    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        follower = make_follower(connection, feed)

        async def stream() -> Any:
            for number, update in enumerate(updates):
                if set_parent.get("after") == number:
                    follower.set_links("p1")
                yield Batch([update])
                if update is not updates[-1]:
                    await anyio.sleep(0.01)

        if set_parent.get("after") == -1:
            follower.set_links("p1")
        with anyio.fail_after(30):
            await follower.run(stream())
        feed.close()
    events = await read_events(feed)
    return [e.parent_task_id or None for e in events if isinstance(e, TaskEvent)]


async def test_each_row_names_the_parent() -> None:
    assert await parents(MemoryLog(), [FIRST, LAST], after=-1) == ["p1", "p1"]


async def test_rows_of_other_tasks_name_no_parent() -> None:
    assert await parents(MemoryLog(), [FIRST, LAST]) == [None, None]


async def test_task_that_was_found_first_names_the_parent_once_it_is_known() -> None:
    rows = await parents(MemoryLog(), [FIRST, LAST], after=1)

    assert rows == [None, "p1", "p1"]


async def test_parent_leaves_the_number_of_the_last_update_alone() -> None:
    """The row that names it repeats an older one: its number is not the last."""
    record = TaskRecord("carly", "t1")
    feed = Feed(MemoryLog())
    events = TaskEvents(record, feed, FollowerStates())
    for update in (FIRST, NUMBERED_CHUNK):
        events.add(translate(record, update.response, now()))
    record.parent_task_id = "p1"
    events.add_links()

    assert record.row and record.row.parent_task_id == "p1"
    assert record.sequence == 2


async def test_parent_is_kept_after_a_restart() -> None:
    log = MemoryLog()
    async with anyio.create_task_group() as group:
        feed = Feed(log)
        await feed.open()
        group.start_soon(feed.write)
        connection = ScriptedConnection([], [], resumable=True)
        follower = make_follower(connection, feed)
        follower.set_links("p1")

        async def cut_off() -> Any:
            yield Batch([FIRST])
            await anyio.sleep_forever()

        with anyio.move_on_after(0.2):
            await follower.run(cut_off())
        feed.close()

    assert await parents(log, [LAST]) == ["p1", "p1"]
