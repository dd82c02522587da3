"""A chunk that comes in the Task and in the stream behind it is told once.

Real followers (test_host_follower.py) of an agent that taps its stream before it reads
the Task, as the SDK's own do.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from host.clients.bindings.types import Update
from host.errors import AgentUnreachable
from host.model.event import ArtifactEvent, Event
from host.protocol.artifact_parts import start_with
from tests.support.a2a_updates import progress
from tests.unit.following.test_follower import Script, Step, followed, live, update


def task(*chunks: str) -> Update:
    parts = [{"text": text} for text in chunks]
    status = {"state": "TASK_STATE_WORKING"}
    artifacts = [{"artifactId": "a", "parts": parts}]
    return update({"task": {"id": "t1", "status": status, "artifacts": artifacts}})


def chunk(text: str) -> Update:
    artifact = {"artifactId": "a", "parts": [{"text": text}]}
    ids = {"taskId": "t1", "contextId": "c1"}
    return update({"artifactUpdate": {**ids, "artifact": artifact, "append": True}})


TICK = update(
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
    ("now", "told"),
    [
        (task("4 ", "9 "), ["4 ", "9 "]),
        # It has gone on while it was asked.
        (task("4 ", "9 ", "14 "), ["4 ", "9 "]),
        # It said the same once more.
        (task("4 ", "9 ", "9 "), ["4 ", "9 ", "9 "]),
        (task("4 ", "9 ", "9 ", "14 "), ["4 ", "9 ", "9 "]),
    ],
)
async def test_a_chunk_is_a_repeat_unless_the_agent_has_it_twice(
    now: Update, told: list[str]
) -> None:
    stream: list[Step] = [task("4 ", "9 "), chunk("9 "), live("COMPLETED", "done")]

    events = await followed(Script([stream], [now]))

    assert chunks(events) == told


async def test_a_tick_between_the_task_and_the_chunk_says_nothing_of_their_order() -> (
    None
):
    stream: list[Step] = [task("4 ", "9 "), TICK, chunk("9 "), live("COMPLETED", "x")]

    events = await followed(Script([stream], [task("4 ", "9 ")]))

    assert chunks(events) == ["4 ", "9 "]


async def test_where_the_agent_cannot_be_asked_its_task_is_read_anew() -> None:
    class Cut(Script):
        async def get_task(self, task_id: str) -> Update:
            if self.streams:
                raise AgentUnreachable("the connection was reset")
            return await super().get_task(task_id)

    again: list[Step] = [task("4 ", "9 ", "14 "), live("COMPLETED", "x")]
    script = Cut([[task("4 ", "9 "), chunk("9 ")], again], [task("4 ", "9 ")])

    assert chunks(await followed(script)) == ["4 ", "9 ", "14 "]


@pytest.mark.parametrize(
    ("told", "said", "begin"),
    [
        ("a b", "a", True),
        ("a b", "b", False),
        ("", "a", False),
        ("a", "a b", False),
        ("a", "", False),
    ],
)
def test_what_parts_begin_with(told: str, said: str, begin: bool) -> None:
    of = [[{"text": f"{word} "} for word in text.split()] for text in (told, said)]

    assert start_with(*of) == begin
