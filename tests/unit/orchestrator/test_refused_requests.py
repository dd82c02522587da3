"""Tests which requests the orchestrator refuses."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from a2a.utils.errors import (
    InvalidParamsError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)

from host.log.memory_log import MemoryLog
from host.orchestrator.run_state import PLAN_URI
from tests.support.default_plan_run import (
    run_until_question,
    start_three_steps,
)
from tests.support.fake_agents import (
    FakeAgents,
    PlanClient,
    run_orchestrator,
)


class TestRefusedRequests:
    """A refused request sends nothing."""

    @pytest.fixture(autouse=True)
    async def sends_nothing(
        self, client: PlanClient, agents: FakeAgents
    ) -> AsyncIterator[None]:
        yield
        assert not any(agent.tasks for agent in agents.by_name.values())

    async def test_message_without_text(self, client: PlanClient) -> None:
        with pytest.raises(InvalidParamsError, match="the message has no text"):
            await client.start(" ")

    async def test_unknown_plan(self, client: PlanClient) -> None:
        with pytest.raises(InvalidParamsError, match="use one of schedule, words"):
            await client.start("please", metadata={"skillId": "nothing"})

    async def test_any_message_if_there_are_no_plans(self, agents: FakeAgents) -> None:
        async with run_orchestrator(agents, {}, MemoryLog()) as client:
            with pytest.raises(UnsupportedOperationError, match="no plans"):
                await client.start("please")

    async def test_reply_to_an_unknown_task(self, client: PlanClient) -> None:
        with pytest.raises(TaskNotFoundError, match="no task 'nothing'"):
            await client.reply("nothing", "yes")

    async def test_reading_an_unknown_task(self, client: PlanClient) -> None:
        with pytest.raises(TaskNotFoundError):
            await client.orchestrator.get_task("nothing")

    async def test_cancelling_an_unknown_task(self, client: PlanClient) -> None:
        with pytest.raises(TaskNotFoundError):
            await client.orchestrator.cancel("nothing")


async def test_reply_without_an_open_question_is_refused(
    agents: FakeAgents, client: PlanClient
) -> None:
    task_id = await start_three_steps(agents, client)

    with pytest.raises(UnsupportedOperationError, match="has no open question"):
        await client.reply(task_id, "yes")

    assert not agents["carly"].tasks[0].replies


async def test_reply_in_another_context_is_refused(
    agents: FakeAgents, client: PlanClient
) -> None:
    task_id = await run_until_question(agents, client)

    with pytest.raises(InvalidParamsError, match="not in 'another'"):
        await client.reply(task_id, "yes", contextId="another")

    assert not agents["nancy"].tasks[0].replies


async def test_reply_to_a_step_without_a_question_is_refused(
    agents: FakeAgents, client: PlanClient
) -> None:
    task_id = await run_until_question(agents, client)

    with pytest.raises(InvalidParamsError, match="'venue' has no open question"):
        await client.reply(task_id, "yes", metadata={"courtside/step": "venue"})


async def test_ended_task_cannot_be_answered_or_cancelled(
    agents: FakeAgents, client: PlanClient
) -> None:
    agents["carly"].answer = "Straight away."
    task_id = await client.start(metadata={"skillId": "words"})
    await client.row_with(task_id, "completed")

    with pytest.raises(UnsupportedOperationError, match="has ended: start a new one"):
        await client.reply(task_id, "yes")
    with pytest.raises(TaskNotCancelableError, match="has already ended"):
        await client.orchestrator.cancel(task_id)
    assert PLAN_URI in (await client.task(task_id))["metadata"]
