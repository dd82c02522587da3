"""Tests of a Task that is ahead of the stream: each update counts once, in its place.

The agent sends updates 1, 2, 3 … as the SDK's own agents do: one in five has a message,
one in five is a chunk, the others have only progress. All but chunks have a time.
"""

from __future__ import annotations

from collections.abc import Sequence

from host.clients.bindings.types import Update
from host.errors import AgentUnreachable
from host.model.event import ArtifactEvent, Event, GapEvent, TaskEvent
from tests.support.a2a_updates import Json, agent_message, progress
from tests.support.scripted_agent import (
    ScriptedConnection,
    Step,
    chunk,
    follow,
    make_update,
    status,
)

END = status("COMPLETED", "done")
CUT = AgentUnreachable("the connection was reset")


def said(number: int) -> Json:
    return agent_message(f"{number}", f"m{number}")


def status_of(number: int) -> Json:
    return {
        "state": "TASK_STATE_WORKING",
        "timestamp": f"2026-11-23T11:00:{number:02}.000Z",
    }


def update(number: int) -> Update:
    """Return update `number` of the stream."""
    if number % 5 == 4:
        return chunk(f"{number} ")
    body: Json = {"taskId": "t1", "status": status_of(number)}
    if number % 5 == 0:
        body["status"]["message"] = said(number)
    return make_update({"statusUpdate": body | {"metadata": progress(number)}})


def task_at(number: int) -> Update:
    """Return the Task after update `number`. The SDK keeps the progress in it."""
    numbers = range(1, number + 1)
    last = max(n for n in numbers if n % 5 != 4)
    body: Json = {
        "id": "t1",
        "status": status_of(last),
        "metadata": progress(last),
        "history": [said(n) for n in numbers if n % 5 == 0],
        "artifacts": [
            {
                "artifactId": "a",
                "parts": [{"text": f"{n} "} for n in numbers if n % 5 == 4],
            }
        ],
    }
    return make_update({"task": body})


def told(events: Sequence[Event]) -> list[str]:
    """Return what each event says: a number, or `gap`."""
    found: list[str] = []
    last_message: str | None = None
    for event in events:
        if isinstance(event, GapEvent):
            found.append("gap")
        elif isinstance(event, ArtifactEvent):
            found += [part["text"].strip() for part in event.parts]
        elif isinstance(event, TaskEvent) and event.is_open:
            is_progress = event.message == last_message
            found.append(f"{event.progress}" if is_progress else f"{event.message}")
            last_message = event.message
    return found


def numbers(first: int, last: int) -> list[str]:
    return [f"{number}" for number in range(first, last + 1)]


def stream(first: int, last: int) -> list[Step]:
    return [update(number) for number in range(first, last + 1)]


FIRST = [task_at(1), *stream(2, 7), CUT]
MISSED = ["gap", "10", "15", "9", "14"]
"""What the Task after update 17 has, without progress, and the feed lacks."""


async def test_status_of_the_task_is_not_repeated_by_the_stream() -> None:
    again: list[Step] = [task_at(17), *stream(17, 20), END]

    found = told(await follow(ScriptedConnection([FIRST, again], [task_at(7)])))

    assert found == [*numbers(1, 7), *MISSED, *numbers(17, 20)]


async def test_progress_from_before_the_task_is_left_out_after_a_gap() -> None:
    again: list[Step] = [task_at(17), *stream(12, 20), END]
    tasks = [task_at(7), *[task_at(20)] * 9]

    found = told(await follow(ScriptedConnection([FIRST, again], tasks)))

    assert found == [*numbers(1, 7), *MISSED, *numbers(17, 20)]


async def test_message_that_a_task_had_before_the_stream_is_there_once() -> None:
    again: list[Step] = [*stream(11, 22), END]
    tasks = [task_at(7), *[task_at(17)] * 9]

    found = told(await follow(ScriptedConnection([FIRST, again], tasks)))

    assert found == [*numbers(1, 7), *MISSED, *numbers(17, 22)]


async def test_task_that_tells_a_repeated_chunk_adds_nothing_else() -> None:
    begun: list[Step] = [task_at(9), *stream(9, 22), END]

    found = told(await follow(ScriptedConnection([begun], [task_at(16)] * 9)))

    assert found == ["5", "4", "9", "8", *numbers(10, 22)]


async def test_task_that_is_older_than_the_feed_does_not_close_the_gap() -> None:
    again: list[Step] = [*stream(10, 12), END]
    tasks = [*[task_at(6)] * 3, *[task_at(12)] * 9]

    found = told(await follow(ScriptedConnection([FIRST, again], tasks)))

    assert found == [*numbers(1, 7), "gap", *numbers(10, 12), "9"]


async def test_message_that_grows_after_the_task_is_news_at_the_same_time() -> None:
    def grown(text: str) -> Update:
        status = status_of(8) | {"message": agent_message(text, "m8")}
        return make_update({"statusUpdate": {"taskId": "t1", "status": status}})

    stale = make_update(
        {
            "task": {
                "id": "t1",
                "status": status_of(8) | {"message": agent_message("one", "m8")},
            }
        }
    )
    begun: list[Step] = [stale, grown("one"), grown("one two"), END]

    events = await follow(ScriptedConnection([begun], [stale] * 9))

    rows = [e.message for e in events if isinstance(e, TaskEvent) and e.is_open]
    assert rows == ["one", "one two"]
