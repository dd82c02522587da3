"""After a break, a gap stays pending until a Task proves what the feed has."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from host.clients.bindings.types import Update
from host.errors import AgentUnreachable
from host.model.event import ArtifactEvent, Event, GapEvent, TaskEvent
from tests.support.scripted_agent import (
    ScriptedConnection,
    Step,
    chunk,
    follow,
    make_status,
    make_update,
    status,
    summarize,
)

CUT = AgentUnreachable("the connection was reset")
END = status("COMPLETED", "done")


def task_with(*chunks: str, state: str = "WORKING") -> Update:
    body: dict[str, object] = {"id": "t1", "status": {"state": f"TASK_STATE_{state}"}}
    if chunks:
        parts = [{"text": text} for text in chunks]
        body["artifacts"] = [{"artifactId": "a", "parts": parts}]
    return make_update({"task": body})


class Forgetful(ScriptedConnection):
    """Answers GetTask only if the test has an answer left."""

    async def get_task(self, task_id: str) -> Update:
        if not self.tasks:
            raise AgentUnreachable("timeout: no response in time")
        return await super().get_task(task_id)


class Restarting(Forgetful):
    """Answers no GetTask before the second subscription."""

    async def get_task(self, task_id: str) -> Update:
        if not self.asked[1:]:
            raise CUT
        return await super().get_task(task_id)


def in_brief(events: Sequence[Event]) -> str:
    """Return the texts of the chunks, with | for each gap."""
    text = ""
    for event in events:
        if isinstance(event, GapEvent):
            text += "|"
        elif isinstance(event, ArtifactEvent):
            text += "".join(part["text"] for part in event.parts)
    return text


START: list[Step] = [task_with(), chunk("a"), CUT]


@pytest.mark.parametrize(
    ("second", "tasks", "expected"),
    [
        # The subscription begins with a Task that has everything.
        ([task_with("a", "b"), chunk("c"), END], [], "a|bc"),
        ([task_with("a"), chunk("b"), END], [], "ab"),
        # It begins with a stale Task: GetTask has the missing chunk, and "c" again.
        ([task_with(), chunk("c"), END], ["abc", "abc"], "a|bc"),
        # It begins without a Task, as in A2A 0.3.
        ([chunk("c"), END], ["abc", "abc"], "a|bc"),
        ([chunk("b"), END], ["ab", "ab"], "a|b"),
        # GetTask is stale or fails, too: nobody knows what is missing.
        ([task_with(), chunk("c"), END], [""], "a|c"),
        ([chunk("c"), END], [], "a|c"),
        ([task_with(), chunk("c"), chunk("d"), END], [], "a|cd"),
    ],
)
async def test_gap_stands_where_updates_may_be_missing(
    second: list[Step], tasks: list[str], expected: str
) -> None:
    answers = [task_with(*text) for text in tasks]

    events = await follow(Restarting([list(START), second], answers))

    assert in_brief(events) == expected


async def test_artifact_with_a_gap_is_read_again_at_the_end() -> None:
    second: list[Step] = [task_with(), chunk("c"), chunk("d"), END]
    stale = task_with("")

    events = await follow(Restarting([list(START), second], [stale, task_with("abcd")]))

    assert in_brief(events) == "a|cdabcd"
    assert isinstance(events[-1], TaskEvent)
    assert events[-1].result == "abcd"


async def test_new_chunk_that_equals_one_of_the_task_is_found_at_the_end() -> None:
    # GetTask has the first "b". The stream begins after it, and brings the second.
    second: list[Step] = [chunk("b"), END]

    events = await follow(
        Restarting([list(START), second], [task_with("ab"), task_with("abb")])
    )

    assert in_brief(events) == "a|bb"


async def test_stale_task_after_a_break_takes_no_chunk_back() -> None:
    second: list[Step] = [task_with(), task_with("a"), END]

    events = await follow(Forgetful([list(START), second], []))

    assert in_brief(events) == "a"


async def test_same_gap_is_written_once_for_many_breaks() -> None:
    streams: list[list[Step]] = [list(START)]
    streams += [[chunk("b"), CUT], [CUT], [CUT], [END]]

    events = await follow(Forgetful(streams, []))

    assert in_brief(events) == "a|b|"


async def test_older_message_than_the_task_has_is_not_lost() -> None:
    """GetTask is ahead of a stream that does not begin with a Task."""

    def working(text: str, second: int) -> Update:
        body = make_status("WORKING", text)
        body["timestamp"] = f"2026-11-23T12:00:0{second}Z"
        return make_update({"statusUpdate": {"taskId": "t1", "status": body}})

    ahead = make_update(
        {
            "task": {
                "id": "t1",
                "status": make_status("WORKING", "three")
                | {"timestamp": "2026-11-23T12:00:03Z"},
            }
        }
    )
    stream: list[Step] = [
        working(text, second + 1) for second, text in enumerate(("one", "two", "three"))
    ]
    events = await follow(Forgetful([[*stream, END]], [ahead]))

    assert summarize(events) == [
        "running one",
        "running two",
        "running three",
        "completed done",
    ]
