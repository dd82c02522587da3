"""A chunk that comes in the Task and in the stream behind it is told once.

Real followers (test_host_follower.py) of an agent that taps its stream before it reads
the Task, as the SDK's own do.
"""

from __future__ import annotations

import pytest

from host.bindings import Update
from host.event import ArtifactEvent
from host.known import begins
from tests.unit.test_host_follower import Script, Step, followed, live, update


def task(*chunks: str) -> Update:
    parts = [{"text": text} for text in chunks]
    status = {"state": "TASK_STATE_WORKING"}
    artifacts = [{"artifactId": "a", "parts": parts}]
    return update({"task": {"id": "t1", "status": status, "artifacts": artifacts}})


def chunk(text: str) -> Update:
    artifact = {"artifactId": "a", "parts": [{"text": text}]}
    ids = {"taskId": "t1", "contextId": "c1"}
    return update({"artifactUpdate": {**ids, "artifact": artifact, "append": True}})


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

    parts = [e.parts for e in events if isinstance(e, ArtifactEvent)]
    assert [part["text"] for some in parts for part in some] == told


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

    assert begins(*of) == begin
