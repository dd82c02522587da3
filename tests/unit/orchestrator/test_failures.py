"""Failing steps, cancellation, and restarts of the host, with scripted agents."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from host.errors import AgentUnreachable
from host.log.memory import MemoryLog
from host.orchestrator.run_state import PLAN_URI
from host.plans.plan import Plan, Planner, Step
from tests.support.fake_agents import (
    FakeAgents,
    PlanClient,
    eventually,
    run_orchestrator,
    until,
)

Plans = dict[str, Plan]


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.orchestrator.step_runner.BACKOFF_S", 0)
    monkeypatch.setattr("host.orchestrator.child_task.FIND_TIMEOUT_S", 0.1)
    monkeypatch.setattr("host.orchestrator.agents.CONNECT_TIMEOUT_S", 0.1)


@pytest.fixture
def agents() -> FakeAgents:
    return FakeAgents("carly", "walter")


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


def plan_of(**settings: Any) -> Plans:
    """Two parallel steps, Carly's with these settings, and then a step of Walter's."""
    steps = [
        Step("first", **{"agent": "carly", **settings}),
        Step("beside", "walter"),
        Step("last", "walter", message="{first}.{beside}", needs=("first", "beside")),
    ]
    return {"plan": Plan("plan", "Plan", steps={step.key: step for step in steps})}


@pytest.fixture
async def client(
    agents: FakeAgents, log: MemoryLog, request: pytest.FixtureRequest
) -> AsyncIterator[PlanClient]:
    """A running plan with the settings of `with_step`."""
    async with run_orchestrator(agents, plan_of(**request.param), log) as started:
        yield started


def with_step(**settings: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("client", [settings], indirect=True, ids=[""])


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


class TestCancelling:
    @with_step()
    async def test_cancel_reaches_all_open_child_tasks(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await client.start()
        parts = [await agents[name].wait_for_task() for name in ("carly", "walter")]
        await parts[0].set_status("input-required", "Yes?")
        await client.row_with(task_id, "input-required")

        update = await client.orchestrator.cancel(task_id)

        assert update.response.task
        assert update.response.task.status.state == "TASK_STATE_CANCELED"
        assert client.row(task_id).message == "Cancelled."
        assert all(part.was_cancelled for part in parts)
        assert len(agents["walter"].tasks) == 1

    @with_step()
    async def test_cancel_leaves_ended_child_tasks_alone(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await client.start()
        carly = await agents["carly"].wait_for_task()
        await carly.set_status("completed", "C")
        await (await agents["walter"].wait_for_task()).set_status("running", "…")
        await client.row_with(task_id, "running", "Running beside (walter)")

        await client.orchestrator.cancel(task_id)

        assert not carly.was_cancelled
        assert client.row(task_id).message == "Cancelled."

    @with_step()
    async def test_child_task_that_cannot_be_cancelled_is_named(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        task_id = await client.start()
        await (await agents["carly"].wait_for_task()).set_status("running", "…")
        await (await agents["walter"].wait_for_task()).set_status("running", "…")
        await until_logged(client, task_id, "carly-1")
        agents["carly"].error = AgentUnreachable("no")

        await client.orchestrator.cancel(task_id)

        assert client.row(task_id).message == (
            "Cancelled. first (carly) could not be stopped: no"
        )

    @with_step()
    async def test_child_task_that_starts_during_the_cancel_is_cancelled(
        self, agents: FakeAgents, client: PlanClient
    ) -> None:
        agents["carly"].hold()
        task_id = await client.start()
        carly = await agents["carly"].wait_for_task()

        await client.orchestrator.cancel(task_id)
        assert client.row(task_id).status == "cancelled"
        agents["carly"].release()

        await until(lambda: carly.was_cancelled, "the late child to be cancelled")


async def until_logged(client: PlanClient, task_id: str, *children: str) -> None:
    """Wait until the log has these child tasks, so that a restarted host has them."""

    async def are_logged() -> bool:
        plan = (await client.task(task_id))["metadata"][PLAN_URI]
        steps = plan.get("steps", {}).values()
        return {step.get("taskId") for step in steps}.issuperset(children)

    await eventually(are_logged, f"{children} in the log")


class TestRestart:
    async def test_plan_resumes_without_repeating_steps(
        self, agents: FakeAgents, log: MemoryLog
    ) -> None:
        async with run_orchestrator(agents, plan_of(), log) as client:
            task_id = await client.start("Now")
            await (await agents["carly"].wait_for_task()).set_status("completed", "C")
            walter = await agents["walter"].wait_for_task()
            await until_logged(client, task_id, "carly-1", "walter-1")
        async with run_orchestrator(agents, plan_of(), log) as client:
            await walter.set_status("completed", "W")
            last = await agents["walter"].wait_for_task(2)
            await last.set_status("completed", "Done.")
            row = await client.row_with(task_id, "completed")

        assert last.text == "C.W"
        assert str(row.result).endswith("last (walter): Done.")
        assert len(agents["carly"].tasks) == 1
        assert len(agents["walter"].tasks) == 2

    async def test_resumed_run_keeps_its_plan(
        self, agents: FakeAgents, log: MemoryLog
    ) -> None:
        async with run_orchestrator(agents, plan_of(), log) as client:
            task_id = await client.start("Now")
            carly = await agents["carly"].wait_for_task()
            await until_logged(client, task_id, "carly-1", "walter-1")
        async with run_orchestrator(agents, {}, log) as client:
            await carly.set_status("completed", "C")
            await agents["walter"].tasks[0].set_status("completed", "W")

            assert (await agents["walter"].wait_for_task(2)).text == "C.W"

    async def test_open_question_can_be_answered(
        self, agents: FakeAgents, log: MemoryLog
    ) -> None:
        async with run_orchestrator(agents, plan_of(), log) as client:
            task_id = await client.start()
            carly = await agents["carly"].wait_for_task()
            await carly.set_status("input-required", "Yes?")
            await client.row_with(task_id, "input-required", "carly: Yes?")
        async with run_orchestrator(agents, plan_of(), log) as client:
            await client.reply(task_id, "Yes")

        assert [reply["parts"] for reply in carly.replies] == [[{"text": "Yes"}]]

    async def test_open_choice_can_be_answered(
        self, agents: FakeAgents, log: MemoryLog
    ) -> None:
        plans = plan_of(on_failure="ask")
        async with run_orchestrator(agents, plans, log) as client:
            task_id = await client.start()
            await (await agents["carly"].wait_for_task()).set_status("error", "No")
            await client.row_with(task_id, "input-required")
        async with run_orchestrator(agents, plans, log) as client:
            await client.reply(task_id, "fail")

            row = await client.row_with(task_id, "error")
        assert row.message == "first (carly) failed: No"
        assert len(agents["carly"].tasks) == 1

    async def test_task_of_a_lost_response_is_found(
        self, agents: FakeAgents, log: MemoryLog
    ) -> None:
        agents["carly"].hold()
        async with run_orchestrator(agents, plan_of(), log) as client:
            task_id = await client.start()
            carly = await agents["carly"].wait_for_task()
            await until_logged(client, task_id, "walter-1")
        agents["carly"].release()
        async with run_orchestrator(agents, plan_of(), log) as client:
            await carly.set_status("running", "Half", 50)
            await until_logged(client, task_id, "carly-1")
            await carly.set_status("completed", "C")
            await (await agents["walter"].wait_for_task()).set_status("completed", "W")

            assert (await agents["walter"].wait_for_task(2)).text == "C.W"
        assert len(agents["carly"].tasks) == 1
        assert carly.parent == task_id

    async def test_message_that_never_arrived_is_sent_again(
        self, agents: FakeAgents, log: MemoryLog
    ) -> None:
        agents["carly"].hold()
        async with run_orchestrator(agents, plan_of(), log) as client:
            await client.start()
            lost = await agents["carly"].wait_for_task()
        agents["carly"].release()
        async with run_orchestrator(agents, plan_of(), log) as client:
            again = await agents["carly"].wait_for_task(2)

        # With the same id, so that an agent can ignore a message that it has.
        assert again.message["messageId"] == lost.message["messageId"]

    async def test_message_is_not_sent_again_if_the_agent_cannot_list_tasks(
        self, agents: FakeAgents, log: MemoryLog
    ) -> None:
        agents["carly"].hold()
        agents["carly"].can_list = False
        async with run_orchestrator(agents, plan_of(), log) as client:
            task_id = await client.start()
            await agents["carly"].wait_for_task()
        agents["carly"].release()
        async with run_orchestrator(agents, plan_of(), log) as client:
            row = await client.row_with(task_id, "error")

        assert "carly cannot say whether it received the message" in str(row.message)
        assert len(agents["carly"].tasks) == 1

    async def test_error_if_the_plan_of_a_planner_was_removed(
        self, agents: FakeAgents, log: MemoryLog
    ) -> None:
        planning = anyio.Event()

        async def make(text: str, agents: object) -> object:
            planning.set()
            await anyio.sleep_forever()
            return {}

        plans = {"made": Plan("made", "Made", planner=Planner("a:b", make))}
        async with run_orchestrator(agents, plans, log) as client:
            task_id = await client.start()
            await planning.wait()
        async with run_orchestrator(agents, {}, log) as client:
            row = await client.row_with(task_id, "error")

        assert row.message == (
            "The host was restarted and cannot go on: the plan 'made' is no longer in "
            "courtside.toml"
        )

    async def test_error_if_an_agent_was_removed(
        self, agents: FakeAgents, log: MemoryLog
    ) -> None:
        async with run_orchestrator(agents, plan_of(), log) as client:
            task_id = await client.start()
            await (await agents["carly"].wait_for_task()).set_status("completed", "C")
            await (await agents["walter"].wait_for_task()).set_status("completed", "W")
            await until_logged(client, task_id, "carly-1", "walter-1")
        del agents.by_name["walter"]
        async with run_orchestrator(agents, plan_of(), log) as client:
            row = await client.row_with(task_id, "error")

        assert "no agent 'walter' is followed" in str(row.message)

    async def test_error_if_the_agent_lost_the_child_task(
        self, agents: FakeAgents, log: MemoryLog
    ) -> None:
        agents["carly"].is_silent = True
        async with run_orchestrator(agents, plan_of(), log) as client:
            task_id = await client.start()
            await until_logged(client, task_id, "carly-1")
        agents["carly"].tasks.clear()
        async with run_orchestrator(agents, plan_of(), log) as client:
            row = await client.row_with(task_id, "error")

        assert "carly no longer has the task" in str(row.message)

    async def test_cancel_is_completed(
        self, agents: FakeAgents, log: MemoryLog
    ) -> None:
        async with run_orchestrator(agents, plan_of(), log) as client:
            task_id = await client.start()
            carly = await agents["carly"].wait_for_task()
            await until_logged(client, task_id, "carly-1", "walter-1")
            agents["carly"].ignores_cancel = True
            async with anyio.create_task_group() as group:
                group.start_soon(client.orchestrator.cancel, task_id)
                await client.row_with(task_id, "running", "Cancelling…")
                group.cancel_scope.cancel()
        agents["carly"].ignores_cancel = False
        async with run_orchestrator(agents, plan_of(), log) as client:
            await client.row_with(task_id, "cancelled")

        assert carly.was_cancelled
