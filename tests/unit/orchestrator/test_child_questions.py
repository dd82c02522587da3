"""Tests that questions of child tasks become questions of the run."""

from __future__ import annotations

import pytest
from a2a.utils.errors import (
    UnsupportedOperationError,
)

from tests.support.default_plan_run import (
    run_until_question,
    start_three_steps,
)
from tests.support.fake_agents import (
    FakeAgents,
    PlanClient,
)


class TestQuestion:
    async def test_question_and_reply_are_passed_on(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await run_until_question(agents, client)

        update = await client.reply(task_id, "Send")

        (reply,) = agents["nancy"].tasks[0].replies
        assert reply["parts"] == [{"text": "Send"}]
        assert reply["taskId"] == "nancy-1"
        assert update.response.task
        assert update.response.task.status.state == "TASK_STATE_WORKING"

    async def test_question_and_answer_are_in_the_history(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await run_until_question(agents, client)
        await client.reply(task_id, "Send")

        history = (await client.task(task_id))["history"]
        texts = [(m["role"], m["parts"][0]["text"]) for m in history]
        assert texts[0] == ("ROLE_USER", "Schedule a game tomorrow")
        assert texts[-2:] == [("ROLE_AGENT", "nancy: Send?"), ("ROLE_USER", "Send")]

    async def test_agent_may_ask_again(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await run_until_question(agents, client)
        await client.reply(task_id, "Perhaps")
        await agents["nancy"].tasks[0].set_status("input-required", "Send?")

        await client.row_with(task_id, "input-required")
        await client.reply(task_id, "Send")

        texts = [r["parts"][0]["text"] for r in agents["nancy"].tasks[0].replies]
        assert texts == ["Perhaps", "Send"]

    async def test_reply_goes_to_the_named_agent_or_step(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await start_three_steps(agents, client)
        carly, walter = agents["carly"].tasks[0], agents["walter"].tasks[0]
        await carly.set_status("input-required", "Which calendar?")
        await walter.set_status("auth-required", "May I?")
        await client.row_with(
            task_id, "input-required", "carly: Which calendar?\nwalter: May I?"
        )

        await client.reply(task_id, "walter: you may")
        await client.reply(task_id, "mine", metadata={"courtside/step": "calendar"})

        assert [r["parts"] for r in walter.replies] == [[{"text": "you may"}]]
        assert [r["parts"] for r in carly.replies] == [[{"text": "mine"}]]

    async def test_ambiguous_reply_is_asked_for_again(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await start_three_steps(agents, client)
        for name in ("carly", "walter"):
            await agents[name].tasks[0].set_status("input-required", "Yes?")
        await client.row_with(task_id, "input-required", "carly: Yes?\nwalter: Yes?")

        update = await client.reply(task_id, "Yes")

        assert update.response.task
        assert update.response.task.status.state == "TASK_STATE_INPUT_REQUIRED"
        message = str(client.row(task_id).message)
        assert "You can answer carly, walter" in message
        assert message.endswith("carly: Yes?\nwalter: Yes?")
        assert not agents["carly"].tasks[0].replies + agents["walter"].tasks[0].replies

    async def test_question_for_permission_is_auth_required(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await start_three_steps(agents, client)

        await agents["logan"].tasks[0].set_status("auth-required", "May I?")

        await client.row_with(task_id, "auth-required", "logan: May I?")

    async def test_question_that_is_answered_at_the_agent_is_closed(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await run_until_question(agents, client)

        await agents["nancy"].tasks[0].set_status("running", "Sending…")

        await client.row_with(task_id, "running")

    async def test_question_stays_open_if_the_agent_refuses_the_reply(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await run_until_question(agents, client)
        agents["nancy"].error = UnsupportedOperationError("not now")

        with pytest.raises(UnsupportedOperationError, match="not now"):
            await client.reply(task_id, "Send")

        agents["nancy"].error = None
        await client.reply(task_id, "Send")
        assert len(agents["nancy"].tasks[0].replies) == 1
        assert client.row(task_id).status == "running"
