"""Tests how scripts become tasks: states, questions, crashes and progress.

Covers agents/executor.py and request_handler.py. No test waits in real time.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import anyio
import jsonschema
import pytest

from agents import progress
from agents.steps import AgentSpec, Deliver, Progress, Request, Say, Script, Skill
from tests.support.a2a_client import (
    COMPLETED,
    FAILED,
    INPUT_REQUIRED,
    SUBMITTED,
    WORKING,
    request,
    states,
    text_of,
    texts,
)
from tests.support.in_process_agent import PausedClock, run_agent, wait_for_state
from tests.support.progress_draft import DRAFT


async def test_task_goes_from_submitted_to_working_to_completed() -> None:
    async with run_agent() as agent:
        events = await agent.stream(skill="steady")
    assert states(events) == [SUBMITTED, *[WORKING] * 4, COMPLETED]
    assert list(events[0]) == ["task"]
    assert texts(events) == ["Starting…", "Half way…", "", "Never back…", "All good."]


async def test_artifact_with_text_and_data_comes_before_the_end() -> None:
    async with run_agent() as agent:
        events = await agent.stream(skill="steady")
    update = events[-2]["artifactUpdate"]
    assert update["lastChunk"] is True
    assert update["artifact"]["name"] == "result"
    assert update["artifact"]["parts"] == [{"text": "All good."}, {"data": {"n": 3}}]


async def test_progress_never_decreases_and_matches_the_draft_schema() -> None:
    async with run_agent() as agent:
        events = await agent.stream(skill="steady")
    percents = []
    for event in events:
        update = event.get("statusUpdate")
        if update:
            metadata = update["metadata"][progress.URI]
            jsonschema.validate(metadata, DRAFT)
            percents.append(metadata["aggregate"]["progress"])
            if "message" in update["status"]:
                message = update["status"]["message"]
                assert message["metadata"][progress.URI] == metadata
                assert message["extensions"] == [progress.URI]
    assert percents == [0, 0, 50, 50, 100]


async def test_progress_is_absent_if_the_script_reports_none() -> None:
    async with run_agent() as agent:
        events = await agent.stream("silent")
        task = events[0]["task"]
    assert progress.URI not in task["metadata"]
    assert states(events) == [SUBMITTED, COMPLETED]


async def test_statuses_have_timestamps_and_messages_have_unique_ids() -> None:
    async with run_agent() as agent:
        events = await agent.stream(skill="steady")
    statuses = [
        (event.get("task") or event["statusUpdate"])["status"]
        for event in events
        if "artifactUpdate" not in event
    ]
    times = [status["timestamp"] for status in statuses]
    assert times == sorted(times)
    ids = [s["message"]["messageId"] for s in statuses if "message" in s]
    assert len(set(ids)) == len(ids) == 4


async def test_progress_without_a_message_is_not_in_the_history() -> None:
    async with run_agent() as agent:
        events = await agent.stream(skill="steady")
        task = await agent.get(events[0]["task"]["id"])
    messages = [message["parts"][0]["text"] for message in task["history"]]
    # The SDK moves the message of a status here when the next status arrives.
    assert messages == ["please", "Starting…", "Half way…", "Never back…"]
    assert text_of(task["status"]) == "All good."


async def test_answer_continues_the_task_that_asked() -> None:
    async with run_agent() as agent:
        asked = await agent.stream(skill="asking")
        ids = {key: asked[-1]["statusUpdate"][key] for key in ("taskId", "contextId")}
        answered = await agent.stream("blue", **ids)
    assert states(asked) == [SUBMITTED, WORKING, INPUT_REQUIRED]
    question = asked[-1]["statusUpdate"]["status"]["message"]
    assert question["parts"] == [
        {"text": "Red or blue?"},
        {"data": {"choices": ["Red", "Blue"]}},
    ]
    assert states(answered) == [COMPLETED]
    assert texts(answered) == ["You said Blue."]


async def test_follow_up_with_only_a_task_id_keeps_the_context() -> None:
    async with run_agent() as agent:
        asked = (await agent.stream(skill="asking"))[-1]["statusUpdate"]
        task_id, context_id = asked["taskId"], asked["contextId"]
        for answer in ("red", "yes"):
            reply = await agent.send(answer, taskId=task_id)
            assert reply.status_code == 200, reply.text
        done = await agent.get(task_id)
    assert done["status"]["state"] == COMPLETED
    assert text_of(done["status"]) == "You said Redyes."
    assert done["contextId"] == context_id
    assert {message["contextId"] for message in done["history"]} == {context_id}


async def test_follow_up_in_another_context_is_refused() -> None:
    async with run_agent() as agent:
        task_id = await agent.start(skill="asking")
        await wait_for_state(agent, task_id, INPUT_REQUIRED)
        reply = await agent.send("red", taskId=task_id, contextId="another")
        assert reply.status_code == 400
        assert (await agent.get(task_id))["status"]["state"] == INPUT_REQUIRED


async def test_crash_fails_the_task_with_a_readable_reason() -> None:
    async with run_agent() as agent:
        events = await agent.stream(skill="crashing")
        stored = await agent.get(events[0]["task"]["id"])
    assert states(events) == [SUBMITTED, WORKING, FAILED]
    reason = texts(events)[-1]
    assert "broke inside Scenario (ZeroDivisionError: division by zero)" in reason
    assert "Start it again" in reason
    assert text_of(stored["status"]) == reason
    tracker = events[-1]["statusUpdate"]["metadata"][progress.URI]["trackers"][0]
    assert (tracker["progress"], tracker["status"]) == (40, "failed")


async def test_fail_step_fails_the_task_with_its_reason() -> None:
    async with run_agent() as agent:
        events = await agent.stream(skill="failing")
    assert states(events)[-1] == FAILED
    assert texts(events)[-1] == "Nobody lives at 1 Nowhere Lane; check the address."


async def test_message_to_a_working_task_is_refused_and_answers_no_later_question() -> (
    None
):
    clock = PausedClock()
    async with run_agent(sleep=clock.sleep) as agent:
        task_id = await agent.start(skill="asking")
        too_early = await agent.send("red", taskId=task_id)
        clock.release()
        asked = await wait_for_state(agent, task_id, INPUT_REQUIRED)
    assert too_early.status_code == 400
    assert "has no open question" in too_early.json()["error"]["message"]
    assert text_of(asked["status"]) == "Red or blue?"


async def test_unknown_skill_creates_no_task() -> None:
    async with run_agent() as agent:
        answer = await agent.send(skill="dance")
        rpc = await agent.rpc("SendMessage", request(skill="dance"))
        assert await agent.tasks() == []
    assert answer.status_code == 400
    assert "scenario has no skill 'dance'" in answer.json()["error"]["message"]
    assert rpc["error"]["code"] == -32602


async def test_concurrent_tasks_do_not_mix() -> None:
    async with run_agent() as agent, anyio.create_task_group() as tasks:
        streams: dict[int, list[Any]] = {}

        async def stream(number: int) -> None:
            streams[number] = await agent.stream(f"number {number}", skill="steady")

        for number in range(10):
            tasks.start_soon(stream, number)
    ids = {number: events[0]["task"]["id"] for number, events in streams.items()}
    assert len(set(ids.values())) == 10
    for number, events in streams.items():
        assert states(events) == [SUBMITTED, *[WORKING] * 4, COMPLETED]
        asked = events[0]["task"]["history"][0]["parts"][0]["text"]
        assert asked == f"number {number}"
        inner = [next(iter(event.values())) for event in events[1:]]
        assert {update["taskId"] for update in inner} == {ids[number]}


async def test_step_takes_its_beats_times_the_step_time() -> None:
    slept: list[float] = []

    async def note(seconds: float) -> None:
        slept.append(seconds)

    async def uneven(request: Request) -> Script:
        yield Progress(0, "a", beats=0.5)
        yield Say("b", beats=3)
        yield Deliver("c")

    skill = Skill("uneven", "uneven", "A test.", uneven, ("Go",), ("go",))
    spec = AgentSpec("scenario", "Scenario", "A test.", (skill,))
    async with run_agent(spec, sleep=note, step_s=0.2) as agent:
        await agent.stream()
    assert slept == pytest.approx([0.1, 0.6])


async def test_progress_updates_do_not_grow_the_history() -> None:
    async def ticking(request: Request) -> Script:
        for tick in range(300):
            yield Progress(tick // 3)
        yield Deliver("Ticked.")

    skill = Skill("ticking", "ticking", "A test.", ticking, ("Go",), ("go",))
    spec = AgentSpec("scenario", "Scenario", "A test.", (skill,))
    async with run_agent(spec) as agent:
        events = await agent.stream()
        task = await agent.get(events[0]["task"]["id"])
    assert len(events) == 303
    assert len(task["history"]) == 1
    percents = [
        event["statusUpdate"]["metadata"][progress.URI]["aggregate"]["progress"]
        for event in events
        if "statusUpdate" in event
    ]
    assert all(before <= after for before, after in pairwise(percents))
