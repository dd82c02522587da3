"""Tests cancelling: a working task, a waiting task, twice, and during completion.

Covers agents/executor.py and request_handler.py.
"""

from __future__ import annotations

import random
from typing import Any

import anyio
import pytest

from agents.executor import CANCELLED_BY_USER
from tests.support.a2a_client import (
    CANCELED,
    COMPLETED,
    INPUT_REQUIRED,
    SUBMITTED,
    TERMINAL,
    WORKING,
    states,
    text_of,
    texts,
)
from tests.support.harness import THOROUGH
from tests.support.in_process_agent import (
    PausedClock,
    run_agent,
    wait_for_state,
    wait_for_task,
)

RACES = 200 if THOROUGH else 50


async def test_second_cancel_is_refused() -> None:
    clock = PausedClock()
    async with run_agent(sleep=clock.sleep) as agent:
        task_id = await agent.start(skill="steady")
        assert (await agent.cancel(task_id)).status_code == 200
        again = await agent.cancel(task_id)
    assert again.status_code == 400
    assert again.json()["error"]["details"][0]["reason"] == "TASK_NOT_CANCELABLE"


async def test_cancel_of_an_unknown_task_is_not_found() -> None:
    async with run_agent() as agent:
        answer = await agent.cancel("no-such-task")
    assert answer.status_code == 404


@pytest.mark.parametrize("apart_s", [0, 0.001])
async def test_one_of_two_simultaneous_cancels_is_accepted(apart_s: float) -> None:
    clock = PausedClock()
    answers: list[int] = []
    async with run_agent(sleep=clock.sleep) as agent:

        async def cancel(task_id: str, after_s: float) -> None:
            await anyio.sleep(after_s)
            answers.append((await agent.cancel(task_id)).status_code)

        for _ in range(RACES):
            task_id = await agent.start(skill="steady")
            answers.clear()
            with anyio.fail_after(30):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(cancel, task_id, 0)
                    tasks.start_soon(cancel, task_id, apart_s)
            assert sorted(answers) == [200, 400]
            stored = await agent.get(task_id)
            assert stored["status"]["state"] == CANCELED


async def test_cancel_during_completion_gives_one_terminal_state() -> None:
    dice = random.Random(7)  # noqa: S311 - no secret depends on it
    ends = set()

    async def short(seconds: float) -> None:
        await anyio.sleep(0.0005)

    async with run_agent(sleep=short) as agent:
        streams: dict[str, list[Any]] = {}

        async def stream(context_id: str) -> None:
            events = await agent.stream(skill="steady", contextId=context_id)
            streams[context_id] = events

        for number in range(RACES):
            context_id = f"race {number}"
            with anyio.fail_after(30):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(stream, context_id)
                    task_id = await wait_for_task(agent, context_id)
                    await anyio.sleep(dice.uniform(0, 0.01))
                    answer = await agent.cancel(task_id)
            stored = (await agent.get(task_id))["status"]["state"]
            streamed = states(streams[context_id])
            assert [state for state in streamed if state in TERMINAL] == [stored]
            assert streamed[-1] == stored
            assert (answer.status_code == 200) == (stored == CANCELED)
            ends.add(stored)
    # If this fails, no cancel raced with the end: change the delays above.
    assert ends == {CANCELED, COMPLETED}


async def test_cancel_ends_a_working_task_and_its_stream() -> None:
    clock = PausedClock()
    streamed: list[Any] = []
    async with (
        run_agent(sleep=clock.sleep) as agent,
        anyio.create_task_group() as tasks,
    ):

        async def stream() -> None:
            streamed.extend(await agent.stream(skill="steady", contextId="c"))

        tasks.start_soon(stream)
        await clock.sleep_started.wait()
        answer = await agent.cancel(await wait_for_task(agent, "c"))
        assert answer.status_code == 200
    assert answer.json()["status"]["state"] == CANCELED
    assert states(streamed) == [SUBMITTED, WORKING, CANCELED]
    assert texts(streamed)[-1] == CANCELLED_BY_USER == "Task cancelled by user request"


async def test_cancel_ends_a_task_that_waits_for_an_answer() -> None:
    async with run_agent() as agent:
        task_id = await agent.start(skill="asking")
        await wait_for_state(agent, task_id, INPUT_REQUIRED)
        answer = await agent.cancel(task_id)
        assert answer.json()["status"]["state"] == CANCELED
        assert text_of(answer.json()["status"]) == CANCELLED_BY_USER
        late = await agent.send("red", taskId=task_id)
        assert late.status_code == 400
