"""One task's following, with an agent that says exactly what the test wants.

A real feed on a memory log; only the connection is played.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any, cast

import anyio

from host import a2a
from host.connection import Connection, Update
from host.errors import AgentUnreachable
from host.event import decode
from host.feed import Feed
from host.filter import ALL
from host.follower import Follower
from host.log.memory import MemoryLog

Json = dict[str, Any]


def update(body: Json) -> Update:
    raw = json.dumps(body).encode()
    return Update(a2a.parse(raw), raw)


def said(text: str) -> Json:
    return {"messageId": text, "role": "ROLE_AGENT", "parts": [{"text": text}]}


def status(state: str, text: str) -> Json:
    return {"state": f"TASK_STATE_{state}", "message": said(text)}


def live(state: str, text: str) -> Update:
    return update({"statusUpdate": {"taskId": "t1", "status": status(state, text)}})


def snapshot(state: str, text: str, *past: str) -> Update:
    history = [said(words) for words in past]
    task = {"id": "t1", "status": status(state, text), "history": history}
    return update({"task": task})


class Script:
    """A connection that plays streams and GetTask answers from lists."""

    def __init__(self, streams: list[list[Update]], tasks: list[Update]) -> None:
        self.streams = streams
        self.tasks = tasks

    async def subscribe(self, task_id: str) -> AsyncGenerator[Update, None]:
        if not self.streams:
            raise AgentUnreachable("refused: nothing listens there")
        for step in self.streams.pop(0):
            yield step

    async def get_task(self, task_id: str) -> Update:
        return self.tasks.pop(0)


async def told(streams: list[list[Update]], tasks: list[Update]) -> list[str]:
    """What the feed says in the end: `status message` of each row, or `gap`."""
    feed = Feed(MemoryLog())
    await feed.open()
    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        connection = cast(Connection, Script(streams, tasks))
        with anyio.fail_after(10):
            await Follower("carly", "t1", connection, feed).run()
        feed.close()
    events = [decode(row.body) for row in await feed.history(0, None, 100, ALL)]
    return [
        f"{getattr(e, 'status', 'gap')} {getattr(e, 'message', '')}" for e in events
    ]


def without_reasons(events: list[str]) -> list[str]:
    return [event.partition(" the stream")[0] for event in events]


async def test_a_stream_that_ends_cleanly_in_the_middle_leaves_a_gap() -> None:
    events = await told(
        [[live("WORKING", "one")]], [snapshot("COMPLETED", "four", "one", "two")]
    )

    assert without_reasons(events) == [
        "running one",
        "gap",
        "running two",
        "completed four",
    ]


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
