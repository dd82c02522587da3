"""Tests failing steps of a plan: retries, choices and timeouts."""

from __future__ import annotations

import anyio
import pytest
from msgspec.structs import replace

from host.log.contract import Entry
from host.log.memory_log import MemoryLog
from host.plans.plan import Plan, Planner
from tests.support.fake_agents import (
    FakeAgents,
    PlanClient,
    run_orchestrator,
)
from tests.support.parallel_plan import with_step


class TestFailingStep:
    @with_step(retries=2)
    async def test_step_is_retried_as_often_as_the_plan_says(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await client.start()
        for number in (1, 2, 3):
            await (await agents["carly"].wait_for_task(number)).set_status(
                "error", f"No. {number}"
            )

        row = await client.row_with(task_id, "error")
        assert row.message == "first (carly) failed: No. 3"
        assert len({part.message["messageId"] for part in agents["carly"].tasks}) == 3

    @with_step(retries=1)
    async def test_plan_goes_on_after_a_successful_retry(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        await client.start()
        await (await agents["walter"].wait_for_task()).set_status("completed", "W")
        await (await agents["carly"].wait_for_task()).set_status("rejected", "No.")
        await (await agents["carly"].wait_for_task(2)).set_status("completed", "C")

        assert (await agents["walter"].wait_for_task(2)).text == "C.W"

    @with_step()
    async def test_failed_step_fails_the_plan_and_cancels_running_steps(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await client.start()
        walter = await agents["walter"].wait_for_task()

        await (await agents["carly"].wait_for_task()).set_status("error", "No.")

        row = await client.row_with(task_id, "error")
        assert row.message == "first (carly) failed: No."
        assert walter.was_cancelled
        assert (await client.task(task_id))["artifacts"] == []

    @with_step(on_failure="skip")
    async def test_failed_step_may_be_skipped(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await client.start()
        await (await agents["carly"].wait_for_task()).set_status("error", "No.")
        await (await agents["walter"].wait_for_task()).set_status("completed", "W")
        last = await agents["walter"].wait_for_task(2)
        await last.set_status("completed", "Done.")

        row = await client.row_with(task_id, "completed", "Plan: done, without first.")
        assert last.text == ".W"
        assert str(row.result).startswith("first (carly): skipped: No.\n")

    @with_step(on_failure="ask")
    async def test_user_may_choose_to_retry(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await client.start()
        await (await agents["carly"].wait_for_task()).set_status("error", "No")
        await client.row_with(
            task_id, "input-required", "carly: No: retry, skip or fail?"
        )

        await client.reply(task_id, "Hm")
        await client.row_with(
            task_id, "input-required", "carly: Please say retry, skip or fail."
        )
        await client.reply(task_id, "Retry.")

        await (await agents["carly"].wait_for_task(2)).set_status("completed", "C")
        await (await agents["walter"].wait_for_task()).set_status("completed", "W")
        assert (await agents["walter"].wait_for_task(2)).text == "C.W"

    @with_step(on_failure="ask")
    @pytest.mark.parametrize(
        ("word", "status"), [("skip", "completed"), ("fail", "error")]
    )
    async def test_user_may_choose_to_skip_or_fail(
        self, agents: FakeAgents, client: PlanClient, word: str, status: str
    ) -> None:
        task_id = await client.start()
        await (await agents["carly"].wait_for_task()).set_status("error", "No")
        await (await agents["walter"].wait_for_task()).set_status("completed", "W")
        await client.row_with(task_id, "input-required")

        await client.reply(task_id, word)

        if word == "skip":
            await (await agents["walter"].wait_for_task(2)).set_status(
                "completed", "Done."
            )
        await client.row_with(task_id, status)

    @with_step(timeout_s=0.2)
    async def test_step_that_takes_too_long_is_cancelled(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await client.start()

        row = await client.row_with(task_id, "error")

        assert row.message == "first (carly) failed: took longer than 0.2 s"
        assert agents["carly"].tasks[0].was_cancelled

    @with_step(timeout_s=0.2)
    async def test_timeout_is_paused_while_a_question_is_open(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await client.start()
        await (await agents["carly"].wait_for_task()).set_status(
            "input-required", "Yes?"
        )
        await client.row_with(task_id, "input-required")
        await anyio.sleep(0.3)  # Longer than the step may take.
        assert client.row(task_id).status == "input-required"

        await client.reply(task_id, "Yes")

        row = await client.row_with(task_id, "error")
        assert "took longer" in str(row.message), "the clock resumes with the answer"

    @with_step(retries=5)
    async def test_cancelled_child_task_is_not_retried(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await client.start()

        await (await agents["carly"].wait_for_task()).set_status("cancelled")

        row = await client.row_with(task_id, "error")
        assert row.message == "first (carly) failed: its task was cancelled"
        assert len(agents["carly"].tasks) == 1

    @with_step()
    async def test_error_says_why_the_agent_is_lost(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        agents["carly"].lost = "refused"

        task_id = await client.start()

        row = await client.row_with(task_id, "error")
        assert row.message == "first (carly) failed: carly cannot be reached: refused"

    @with_step()
    async def test_agent_that_does_not_connect_fails_the_step(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        agents["carly"].lost = "connecting"
        row = client.feed.board.agents["carly"]
        version = await client.feed.high_water("carly") + 1
        connecting = replace(row, connection="connecting")
        await client.feed.append([Entry.of("carly", version, connecting)])

        task_id = await client.start()

        failed = await client.row_with(task_id, "error")
        why = "first (carly) failed: carly cannot be reached: connecting"
        assert failed.message == why

    @with_step(agent="zoe")
    async def test_error_names_an_unknown_agent(self, client: PlanClient) -> None:
        task_id = await client.start()

        row = await client.row_with(task_id, "error")
        assert "no agent 'zoe' is followed" in str(row.message)

    @with_step(agent=None, skill="juggling")
    async def test_error_names_an_unknown_skill(self, client: PlanClient) -> None:
        task_id = await client.start()

        row = await client.row_with(task_id, "error")
        assert "no followed agent has the skill 'juggling'" in str(row.message)


async def test_planner_error_fails_the_task_with_the_reason(
    agents: FakeAgents,
) -> None:
    def make(text: str, agents: object) -> object:
        return {"steps": {"one": {"agent": "zoe"}}}

    plans = {"made": Plan("made", "Made", planner=Planner("a:b", make))}
    async with run_orchestrator(agents, plans, MemoryLog()) as client:
        row = await client.row_with(await client.start(), "error")

        assert "the planner a:b returned an invalid plan" in str(row.message)
        assert "'zoe', which is not a known agent" in str(row.message)
