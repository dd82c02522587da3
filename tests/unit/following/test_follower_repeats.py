"""Tests of chunks that arrive in a Task and again in the stream after it.

The agent opens its stream before it reads the Task, as the SDK's own agents do.
"""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest
from a2a.utils.errors import MethodNotFoundError

from host.clients.bindings.types import Update
from host.errors import AgentUnreachable
from host.merging.follower_states import RETRY_S
from host.merging.repeated_updates import RepeatedDrops
from host.model.event import ArtifactEvent, Event
from tests.support.a2a_updates import Json, agent_message, progress
from tests.support.scripted_agent import (
    ScriptedConnection,
    Step,
    chunk,
    follow,
    make_update,
    status,
    summarize,
)


def task_with(*chunks: str) -> Update:
    parts = [{"text": text} for text in chunks]
    status = {"state": "TASK_STATE_WORKING"}
    artifacts = [{"artifactId": "a", "parts": parts}]
    return make_update({"task": {"id": "t1", "status": status, "artifacts": artifacts}})


PROGRESS = make_update(
    {
        "statusUpdate": {
            "taskId": "t1",
            "contextId": "c1",
            "status": {"state": "TASK_STATE_WORKING"},
            "metadata": progress(58),
        }
    }
)


def chunks(events: Sequence[Event]) -> list[str]:
    parts = [e.parts for e in events if isinstance(e, ArtifactEvent)]
    return [part["text"] for some in parts for part in some]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (task_with("4 ", "9 "), ["4 ", "9 "]),
        # The agent has sent more in the meantime.
        (task_with("4 ", "9 ", "14 "), ["4 ", "9 ", "14 "]),
        # The agent has sent the same chunk again.
        (task_with("4 ", "9 ", "9 "), ["4 ", "9 ", "9 "]),
        (task_with("4 ", "9 ", "9 ", "14 "), ["4 ", "9 ", "9 ", "14 "]),
    ],
)
async def test_chunk_is_a_repeat_unless_the_agent_has_it_twice(
    now: Update, expected: list[str]
) -> None:
    stream: list[Step] = [
        task_with("4 ", "9 "),
        chunk("9 "),
        status("COMPLETED", "done"),
    ]

    events = await follow(ScriptedConnection([stream], [now, now]))

    assert chunks(events) == expected


@pytest.mark.parametrize("overlap", [["4 ", "9 "], ["9 ", "4 ", "9 "], ["1 ", "4 "]])
@pytest.mark.parametrize("new", [[], ["14 "], ["9 "], ["4 ", "9 "], ["1 ", "4 ", "9 "]])
async def test_several_chunks_in_the_task_and_after_it_are_there_once(
    overlap: list[str], new: list[str]
) -> None:
    before = ["1 ", *overlap]
    stream: list[Step] = [
        task_with(*before),
        *map(chunk, [*overlap, *new]),
        status("COMPLETED", "done"),
    ]
    tasks = [task_with(*before, *new) for _ in range(9)]

    events = await follow(ScriptedConnection([stream], tasks))

    assert chunks(events) == [*before, *new]
    assert "gap" not in summarize(events)


async def test_progress_between_the_task_and_the_chunk_does_not_order_them() -> None:
    stream: list[Step] = [
        task_with("4 ", "9 "),
        PROGRESS,
        chunk("9 "),
        status("COMPLETED", "x"),
    ]

    events = await follow(ScriptedConnection([stream], [task_with("4 ", "9 ")]))

    assert chunks(events) == ["4 ", "9 "]


async def test_stream_restarts_with_the_task_when_get_task_fails() -> None:
    class Cut(ScriptedConnection):
        async def get_task(self, task_id: str) -> Update:
            if self.streams:
                raise AgentUnreachable("the connection was reset")
            return await super().get_task(task_id)

    again: list[Step] = [task_with("4 ", "9 ", "14 "), status("COMPLETED", "x")]
    connection = Cut(
        [[task_with("4 ", "9 "), chunk("9 ")], again], [task_with("4 ", "9 ")]
    )

    assert chunks(await follow(connection)) == ["4 ", "9 ", "14 "]


def test_dropped_update_counts_once_in_many_streams() -> None:
    drops = RepeatedDrops()

    assert [drops.count_new("first", 1, 5), drops.count_new("first", 1, 5)] == [1, 1]
    assert [drops.count_new("second", 1, 5) for _ in range(3)] == [0, 0, 1]
    assert drops.count_new("third", 1, 6) == 1, "an event came in between"


class WithoutGetTask(ScriptedConnection):
    async def get_task(self, task_id: str) -> Update:
        raise MethodNotFoundError


def state_at(second: int, text: str = "", message_id: str = "") -> Update:
    state: Json = {"state": "TASK_STATE_WORKING"}
    state["timestamp"] = f"2026-11-23T11:00:{second:02}Z"
    if text:
        state["message"] = agent_message(text, message_id)
    return make_update({"statusUpdate": {"taskId": "t1", "status": state}})


def message(text: str) -> Update:
    return make_update({"message": agent_message(text, text)})


UNMARKED = agent_message("two", "")


async def test_new_stream_does_not_repeat_a_message_without_an_id() -> None:
    said = make_update({"message": UNMARKED})
    state = {"state": "TASK_STATE_WORKING", "message": UNMARKED}
    working = make_update({"statusUpdate": {"taskId": "t1", "status": state}})
    last: list[Step] = [working, status("COMPLETED", "x")]

    events = await follow(WithoutGetTask([[state_at(1), said], [said], last], []))

    rows = [line for line in summarize(events) if line != "gap"]
    assert rows == ["running None", "running two", "completed x"]


AGAIN: dict[str, list[Step]] = {
    "the state, at a new time": [state_at(9)],
    "a message of the stream before": [message("one")],
    "the whole stream before": [state_at(1), message("one"), message("two")],
}


@pytest.mark.parametrize("again", AGAIN.values(), ids=list(AGAIN))
async def test_new_stream_repeats_nothing_of_the_one_before(again: list[Step]) -> None:
    first: list[Step] = [state_at(1), message("one"), message("two")]
    last: list[Step] = [*again, status("COMPLETED", "x")]

    events = await follow(WithoutGetTask([first, again, last], []))

    rows = [line for line in summarize(events) if line != "gap"]
    assert rows == ["running None", "running one", "running two", "completed x"]


async def test_message_with_the_same_words_and_a_new_id_does_not_end_the_backoff() -> (
    None
):
    """Some agents send their state to each new subscriber, each time as a new one."""
    streams: list[list[Step]] = [[state_at(n, "busy", f"m{n}")] for n in range(5)]
    begun_at = anyio.current_time()

    await follow(WithoutGetTask([*streams, [status("COMPLETED", "x")]], []))

    assert anyio.current_time() - begun_at > sum(RETRY_S[:4])
