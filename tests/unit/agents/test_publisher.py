"""Tests the updates that each kind of step publishes: chunks, branches, replies.

Covers agents/publisher.py and executor.py. test_executor.py covers the simpler steps.
"""

from __future__ import annotations

import base64
from typing import Any

import anyio
import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st

from agents import progress
from agents.steps import (
    AgentSpec,
    Branch,
    Deliver,
    Fail,
    Parallel,
    Progress,
    Request,
    Script,
    Skill,
)
from tests.support.a2a_client import (
    AUTH_REQUIRED,
    CANCELED,
    COMPLETED,
    FAILED,
    REJECTED,
    SUBMITTED,
    WORKING,
    request,
    states,
    text_of,
    texts,
)
from tests.support.in_process_agent import PausedClock, run_agent, wait_for_state
from tests.support.progress_draft import DRAFT


def read_progress(events: list[Any]) -> list[dict[str, Any]]:
    """Return the progress of each status update, checked against the draft."""
    reports = [
        event["statusUpdate"]["metadata"][progress.URI]
        for event in events
        if "statusUpdate" in event
    ]
    for each in reports:
        jsonschema.validate(each, DRAFT)
    return reports


async def test_chunks_form_one_artifact_until_the_last_chunk() -> None:
    async with run_agent() as agent:
        events = await agent.stream(skill="streaming")
        task = await agent.get(events[0]["task"]["id"])
    updates = [e["artifactUpdate"] for e in events if "artifactUpdate" in e]
    story = [u for u in updates if u["artifact"]["name"] == "story"]
    assert [(u.get("append", False), u.get("lastChunk", False)) for u in story] == [
        (False, False),
        (True, False),
        (True, True),
    ]
    assert len({u["artifact"]["artifactId"] for u in story}) == 1
    kept = {artifact["name"]: artifact for artifact in task["artifacts"]}
    assert list(kept) == ["story", "notes", "picture", "result"]
    assert len({artifact["artifactId"] for artifact in task["artifacts"]}) == 4
    assert kept["story"]["parts"] == [
        {"text": "Once "},
        {"text": "upon a time"},
        {"data": {"page": 2}},
        {"text": "they lived."},
    ]
    assert text_of(task["status"]) == "The end."


async def test_file_part_has_name_media_type_and_bytes() -> None:
    async with run_agent() as agent:
        events = await agent.stream(skill="streaming")
    updates = [e["artifactUpdate"] for e in events if "artifactUpdate" in e]
    (part,) = updates[-2]["artifact"]["parts"]
    assert (part["filename"], part["mediaType"]) == ("dot.svg", "image/svg+xml")
    assert base64.b64decode(part["raw"]) == b"<svg/>"


async def test_each_branch_has_a_tracker_and_moves_the_aggregate() -> None:
    async with run_agent() as agent:
        events = await agent.stream(skill="parallel")
    reports = read_progress(events)
    assert [t["id"] for t in reports[0]["trackers"]] == ["scenario"]
    assert all(
        [t["id"] for t in x["trackers"]] == ["left", "right"] for x in reports[1:]
    )
    percents = [each["aggregate"]["progress"] for each in reports]
    assert percents == sorted(percents)
    assert percents[0] == 10
    assert percents[-2:] == [80, 100]


async def test_failed_branch_is_reported_and_retried() -> None:
    async with run_agent() as agent:
        events = await agent.stream(skill="parallel")
    right = [
        t for x in read_progress(events) for t in x["trackers"] if t["id"] == "right"
    ]
    seen = [(t["status"], t.get("message")) for t in right]
    failed = seen.index(("failed", "gave up"))
    assert ("running", "1 of 2") in seen[failed:]
    assert seen[-1] == ("completed", "nearly there")
    assert right[-1]["progress"] == 100
    assert states(events)[-1] == COMPLETED
    assert "gave up" in texts(events)


async def test_branches_run_concurrently() -> None:
    clock = PausedClock()
    async with run_agent(sleep=clock.sleep) as agent:
        task_id = await agent.start(skill="crashing_branch")
        with anyio.fail_after(30):
            while len((await agent.get(task_id)).get("history", [])) < 2:
                await anyio.lowlevel.checkpoint()
        # Both branches have started, and each is in its first pause.
        task = await agent.get(task_id)
        trackers = task["metadata"][progress.URI]["trackers"]
        assert [t["progress"] for t in trackers] == [50, 11]
        await agent.cancel(task_id)


async def test_crash_in_a_branch_fails_the_task_with_its_reason() -> None:
    async with run_agent() as agent:
        events = await agent.stream(skill="crashing_branch")
    assert states(events)[-1] == FAILED
    assert "(ZeroDivisionError: division by zero)" in texts(events)[-1]
    assert {t["status"] for t in read_progress(events)[-1]["trackers"]} == {"failed"}


async def test_cancel_ends_all_branches() -> None:
    clock = PausedClock()
    closed: list[str] = []

    async def branch(name: str) -> Branch:
        try:
            yield Progress(10, f"{name} begins…")
        finally:
            closed.append(name)

    async def both(request: Request) -> Script:
        yield Parallel({name: branch(name) for name in ("one", "two")})

    skill = Skill("both", "both", "A test.", both, ("Go",), ("go",))
    spec = AgentSpec("scenario", "Scenario", "A test.", (skill,))
    async with run_agent(spec, sleep=clock.sleep) as agent:
        task_id = await agent.start()
        await clock.sleep_started.wait()
        assert (await agent.cancel(task_id)).json()["status"]["state"] == CANCELED
        with anyio.fail_after(30):
            while len(closed) < 2:
                await anyio.lowlevel.checkpoint()
    assert sorted(closed) == ["one", "two"]


steps = st.lists(
    st.one_of(
        st.builds(Progress, st.integers(0, 100), st.sampled_from(["", "on it"])),
        st.builds(Fail, st.just("no")),
    ),
    max_size=6,
)


@settings(max_examples=25, deadline=None)
@given(branches=st.lists(steps, min_size=1, max_size=4), until=st.integers(0, 99))
def test_progress_never_decreases_with_any_branches(
    branches: list[list[Progress | Fail]], until: int
) -> None:
    async def run_steps(branch: list[Progress | Fail]) -> Branch:
        for step in branch:
            yield step

    async def script(request: Request) -> Script:
        yield Progress(30)
        for _ in range(2):
            scripts = {str(n): run_steps(s) for n, s in enumerate(branches)}
            yield Parallel(scripts, until)
        yield Deliver("Done.")

    skill = Skill("any", "any", "A test.", script, ("Go",), ("go",))
    spec = AgentSpec("scenario", "Scenario", "A test.", (skill,))

    async def run_task() -> list[Any]:
        async with run_agent(spec) as agent:
            return await agent.stream()

    reports = read_progress(anyio.run(run_task))
    percents = [each["aggregate"]["progress"] for each in reports]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    for number in range(len(branches)):
        own = [
            tracker["progress"]
            for each in reports
            for tracker in each["trackers"]
            if tracker["id"] == str(number)
        ]
        assert own == sorted(own)


async def test_reject_step_rejects_the_task_with_its_reason() -> None:
    async with run_agent() as agent:
        events = await agent.stream(skill="refusing")
    assert states(events) == [SUBMITTED, REJECTED]
    assert texts(events) == ["Scenario does not do that; ask somebody else."]


async def test_permission_is_requested_with_choices_and_given_by_a_reply() -> None:
    async with run_agent() as agent:
        asked = await agent.stream(skill="needing_leave")
        task_id = asked[0]["task"]["id"]
        answered = await agent.stream("allow", taskId=task_id)
    assert states(asked) == [SUBMITTED, WORKING, AUTH_REQUIRED]
    assert asked[-1]["statusUpdate"]["status"]["message"]["parts"] == [
        {"text": "May Scenario?"},
        {"data": {"choices": ["Allow", "Refuse"]}},
    ]
    assert states(answered) == [COMPLETED]
    assert texts(answered) == ["The answer was Allow."]


async def test_cancel_ends_a_task_that_waits_for_permission() -> None:
    async with run_agent() as agent:
        task_id = await agent.start(skill="needing_leave")
        await wait_for_state(agent, task_id, AUTH_REQUIRED)
        answer = await agent.cancel(task_id)
    assert answer.json()["status"]["state"] == CANCELED


async def test_reply_step_is_a_message_without_a_task() -> None:
    async with run_agent() as agent:
        sent = (await agent.send("hello", skill="replying", contextId="c")).json()
        (streamed,) = await agent.stream("hello", skill="replying", contextId="c")
        params = request("hello", skill="replying", contextId="c")
        called = (await agent.rpc("SendMessage", params))["result"]
        (called_stream,) = await agent.rpc_stream("SendStreamingMessage", params)
        assert await agent.tasks() == []
    for answer in (sent, streamed, called, called_stream):
        (message,) = answer.values()
        assert list(answer) == ["message"]
        assert message["parts"] == [{"text": "You said hello."}]
        assert (message["role"], message["contextId"]) == ("ROLE_AGENT", "c")
        assert "taskId" not in message
    ids = {a["message"]["messageId"] for a in (sent, streamed, called, called_stream)}
    assert len(ids) == 4


async def test_reply_step_after_other_steps_fails_the_task() -> None:
    async with run_agent() as agent:
        events = await agent.stream(skill="replying_late")
    assert states(events) == [SUBMITTED, WORKING, FAILED]
    assert "cannot reply with a message" in texts(events)[-1]
