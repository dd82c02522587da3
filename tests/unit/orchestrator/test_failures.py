"""Failing steps, cancellation, and restarts of the host, with scripted agents."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from host.errors import AgentUnreachable
from host.log.memory import MemoryLog
from host.orchestrator import agents, child_task, step_runner
from host.orchestrator.run_state import PLAN_URI
from host.plans.plan import Plan, Planner, Step
from tests.support.plan_agents import Play, Troupe, eventually, playing, until

Plans = dict[str, Plan]


@pytest.fixture(autouse=True)
def short_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_runner, "BACKOFF_S", 0)
    monkeypatch.setattr(child_task, "FIND_TIMEOUT_S", 0.1)
    monkeypatch.setattr(agents, "CONNECT_TIMEOUT_S", 0.1)


@pytest.fixture
def troupe() -> Troupe:
    return Troupe("carly", "walter")


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
async def play(
    troupe: Troupe, log: MemoryLog, request: pytest.FixtureRequest
) -> AsyncIterator[Play]:
    """A running plan with the settings of `with_step`."""
    async with playing(troupe, plan_of(**request.param), log) as started:
        yield started


def with_step(**settings: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("play", [settings], indirect=True, ids=[""])


class TestFailingStep:
    @with_step(retries=2)
    async def test_step_is_retried_as_often_as_the_plan_says(
        self, troupe: Troupe, play: Play
    ) -> None:
        task_id = await play.ask()
        for number in (1, 2, 3):
            await (await troupe["carly"].part(number)).tell("error", f"No. {number}")

        row = await play.row_with(task_id, "error")
        assert row.message == "first (carly) failed: No. 3"
        assert len({part.message["messageId"] for part in troupe["carly"].parts}) == 3

    @with_step(retries=1)
    async def test_plan_goes_on_after_a_successful_retry(
        self, troupe: Troupe, play: Play
    ) -> None:
        await play.ask()
        await (await troupe["walter"].part()).tell("completed", "W")
        await (await troupe["carly"].part()).tell("rejected", "No.")
        await (await troupe["carly"].part(2)).tell("completed", "C")

        assert (await troupe["walter"].part(2)).text == "C.W"

    @with_step()
    async def test_failed_step_fails_the_plan_and_cancels_running_steps(
        self, troupe: Troupe, play: Play
    ) -> None:
        task_id = await play.ask()
        walter = await troupe["walter"].part()

        await (await troupe["carly"].part()).tell("error", "No.")

        row = await play.row_with(task_id, "error")
        assert row.message == "first (carly) failed: No."
        assert walter.was_cancelled
        assert (await play.task(task_id))["artifacts"] == []

    @with_step(on_failure="skip")
    async def test_failed_step_may_be_skipped(self, troupe: Troupe, play: Play) -> None:
        task_id = await play.ask()
        await (await troupe["carly"].part()).tell("error", "No.")
        await (await troupe["walter"].part()).tell("completed", "W")
        last = await troupe["walter"].part(2)
        await last.tell("completed", "Done.")

        row = await play.row_with(task_id, "completed", "Plan: done, without first.")
        assert last.text == ".W"
        assert str(row.result).startswith("first (carly): skipped: No.\n")

    @with_step(on_failure="ask")
    async def test_user_may_choose_to_retry(self, troupe: Troupe, play: Play) -> None:
        task_id = await play.ask()
        await (await troupe["carly"].part()).tell("error", "No")
        await play.row_with(
            task_id, "input-required", "carly: No: retry, skip or fail?"
        )

        await play.reply(task_id, "Hm")
        await play.row_with(
            task_id, "input-required", "carly: Please say retry, skip or fail."
        )
        await play.reply(task_id, "Retry.")

        await (await troupe["carly"].part(2)).tell("completed", "C")
        await (await troupe["walter"].part()).tell("completed", "W")
        assert (await troupe["walter"].part(2)).text == "C.W"

    @with_step(on_failure="ask")
    @pytest.mark.parametrize(
        ("word", "status"), [("skip", "completed"), ("fail", "error")]
    )
    async def test_user_may_choose_to_skip_or_fail(
        self, troupe: Troupe, play: Play, word: str, status: str
    ) -> None:
        task_id = await play.ask()
        await (await troupe["carly"].part()).tell("error", "No")
        await (await troupe["walter"].part()).tell("completed", "W")
        await play.row_with(task_id, "input-required")

        await play.reply(task_id, word)

        if word == "skip":
            await (await troupe["walter"].part(2)).tell("completed", "Done.")
        await play.row_with(task_id, status)

    @with_step(timeout_s=0.2)
    async def test_step_that_takes_too_long_is_cancelled(
        self, troupe: Troupe, play: Play
    ) -> None:
        task_id = await play.ask()

        row = await play.row_with(task_id, "error")

        assert row.message == "first (carly) failed: took longer than 0.2 s"
        assert troupe["carly"].parts[0].was_cancelled

    @with_step(timeout_s=0.2)
    async def test_timeout_is_paused_while_a_question_is_open(
        self, troupe: Troupe, play: Play
    ) -> None:
        task_id = await play.ask()
        await (await troupe["carly"].part()).tell("input-required", "Yes?")
        await play.row_with(task_id, "input-required")
        await anyio.sleep(0.3)  # Longer than the step may take.
        assert play.row(task_id).status == "input-required"

        await play.reply(task_id, "Yes")

        row = await play.row_with(task_id, "error")
        assert "took longer" in str(row.message), "the clock resumes with the answer"

    @with_step(retries=5)
    async def test_cancelled_child_task_is_not_retried(
        self, troupe: Troupe, play: Play
    ) -> None:
        task_id = await play.ask()

        await (await troupe["carly"].part()).tell("cancelled")

        row = await play.row_with(task_id, "error")
        assert row.message == "first (carly) failed: its task was cancelled"
        assert len(troupe["carly"].parts) == 1

    @with_step()
    async def test_error_says_why_the_agent_is_lost(
        self, troupe: Troupe, play: Play
    ) -> None:
        troupe["carly"].lost = "refused"

        task_id = await play.ask()

        row = await play.row_with(task_id, "error")
        assert row.message == "first (carly) failed: carly cannot be reached: refused"

    @with_step(agent="zoe")
    async def test_error_names_an_unknown_agent(self, play: Play) -> None:
        task_id = await play.ask()

        row = await play.row_with(task_id, "error")
        assert "no agent 'zoe' is followed" in str(row.message)

    @with_step(agent=None, skill="juggling")
    async def test_error_names_an_unknown_skill(self, play: Play) -> None:
        task_id = await play.ask()

        row = await play.row_with(task_id, "error")
        assert "no followed agent has the skill 'juggling'" in str(row.message)


async def test_planner_error_fails_the_task_with_the_reason(troupe: Troupe) -> None:
    def make(text: str, agents: object) -> object:
        return {"steps": {"one": {"agent": "zoe"}}}

    plans = {"made": Plan("made", "Made", planner=Planner("a:b", make))}
    async with playing(troupe, plans, MemoryLog()) as play:
        row = await play.row_with(await play.ask(), "error")

        assert "the planner a:b returned an invalid plan" in str(row.message)
        assert "'zoe', which is not a known agent" in str(row.message)


class TestCancelling:
    @with_step()
    async def test_cancel_reaches_all_open_child_tasks(
        self, troupe: Troupe, play: Play
    ) -> None:
        task_id = await play.ask()
        parts = [await troupe[name].part() for name in ("carly", "walter")]
        await parts[0].tell("input-required", "Yes?")
        await play.row_with(task_id, "input-required")

        update = await play.orchestrator.cancel(task_id)

        assert update.response.task
        assert update.response.task.status.state == "TASK_STATE_CANCELED"
        assert play.row(task_id).message == "Cancelled."
        assert all(part.was_cancelled for part in parts)
        assert len(troupe["walter"].parts) == 1

    @with_step()
    async def test_cancel_leaves_ended_child_tasks_alone(
        self, troupe: Troupe, play: Play
    ) -> None:
        task_id = await play.ask()
        carly = await troupe["carly"].part()
        await carly.tell("completed", "C")
        await (await troupe["walter"].part()).tell("running", "…")
        await play.row_with(task_id, "running", "Running beside (walter)")

        await play.orchestrator.cancel(task_id)

        assert not carly.was_cancelled
        assert play.row(task_id).message == "Cancelled."

    @with_step()
    async def test_child_task_that_cannot_be_cancelled_is_named(
        self, troupe: Troupe, play: Play
    ) -> None:
        task_id = await play.ask()
        await (await troupe["carly"].part()).tell("running", "…")
        await (await troupe["walter"].part()).tell("running", "…")
        await until_logged(play, task_id, "carly-1")
        troupe["carly"].refusal = AgentUnreachable("no")

        await play.orchestrator.cancel(task_id)

        assert play.row(task_id).message == (
            "Cancelled. first (carly) could not be stopped: no"
        )

    @with_step()
    async def test_child_task_that_starts_during_the_cancel_is_cancelled(
        self, troupe: Troupe, play: Play
    ) -> None:
        troupe["carly"].hold()
        task_id = await play.ask()
        carly = await troupe["carly"].part()

        await play.orchestrator.cancel(task_id)
        assert play.row(task_id).status == "cancelled"
        troupe["carly"].let_go()

        await until(lambda: carly.was_cancelled, "the late child to be cancelled")


async def until_logged(play: Play, task_id: str, *children: str) -> None:
    """Wait until the log has these child tasks, so that a restarted host has them."""

    async def are_logged() -> bool:
        plan = (await play.task(task_id))["metadata"][PLAN_URI]
        steps = plan.get("steps", {}).values()
        return {step.get("taskId") for step in steps}.issuperset(children)

    await eventually(are_logged, f"{children} in the log")


class TestRestart:
    async def test_plan_resumes_without_repeating_steps(
        self, troupe: Troupe, log: MemoryLog
    ) -> None:
        async with playing(troupe, plan_of(), log) as play:
            task_id = await play.ask("Now")
            await (await troupe["carly"].part()).tell("completed", "C")
            walter = await troupe["walter"].part()
            await until_logged(play, task_id, "carly-1", "walter-1")
        async with playing(troupe, plan_of(), log) as play:
            await walter.tell("completed", "W")
            last = await troupe["walter"].part(2)
            await last.tell("completed", "Done.")
            row = await play.row_with(task_id, "completed")

        assert last.text == "C.W"
        assert str(row.result).endswith("last (walter): Done.")
        assert len(troupe["carly"].parts) == 1
        assert len(troupe["walter"].parts) == 2

    async def test_resumed_run_keeps_its_plan(
        self, troupe: Troupe, log: MemoryLog
    ) -> None:
        async with playing(troupe, plan_of(), log) as play:
            task_id = await play.ask("Now")
            carly = await troupe["carly"].part()
            await until_logged(play, task_id, "carly-1", "walter-1")
        async with playing(troupe, {}, log) as play:
            await carly.tell("completed", "C")
            await troupe["walter"].parts[0].tell("completed", "W")

            assert (await troupe["walter"].part(2)).text == "C.W"

    async def test_open_question_can_be_answered(
        self, troupe: Troupe, log: MemoryLog
    ) -> None:
        async with playing(troupe, plan_of(), log) as play:
            task_id = await play.ask()
            carly = await troupe["carly"].part()
            await carly.tell("input-required", "Yes?")
            await play.row_with(task_id, "input-required", "carly: Yes?")
        async with playing(troupe, plan_of(), log) as play:
            await play.reply(task_id, "Yes")

        assert [reply["parts"] for reply in carly.replies] == [[{"text": "Yes"}]]

    async def test_open_choice_can_be_answered(
        self, troupe: Troupe, log: MemoryLog
    ) -> None:
        plans = plan_of(on_failure="ask")
        async with playing(troupe, plans, log) as play:
            task_id = await play.ask()
            await (await troupe["carly"].part()).tell("error", "No")
            await play.row_with(task_id, "input-required")
        async with playing(troupe, plans, log) as play:
            await play.reply(task_id, "fail")

            row = await play.row_with(task_id, "error")
        assert row.message == "first (carly) failed: No"
        assert len(troupe["carly"].parts) == 1

    async def test_task_of_a_lost_response_is_found(
        self, troupe: Troupe, log: MemoryLog
    ) -> None:
        troupe["carly"].hold()
        async with playing(troupe, plan_of(), log) as play:
            task_id = await play.ask()
            carly = await troupe["carly"].part()
            await until_logged(play, task_id, "walter-1")
        troupe["carly"].let_go()
        async with playing(troupe, plan_of(), log) as play:
            await carly.tell("running", "Half", 50)
            await until_logged(play, task_id, "carly-1")
            await carly.tell("completed", "C")
            await (await troupe["walter"].part()).tell("completed", "W")

            assert (await troupe["walter"].part(2)).text == "C.W"
        assert len(troupe["carly"].parts) == 1
        assert carly.parent == task_id

    async def test_message_that_never_arrived_is_sent_again(
        self, troupe: Troupe, log: MemoryLog
    ) -> None:
        troupe["carly"].hold()
        async with playing(troupe, plan_of(), log) as play:
            await play.ask()
            lost = await troupe["carly"].part()
        troupe["carly"].let_go()
        async with playing(troupe, plan_of(), log) as play:
            again = await troupe["carly"].part(2)

        # With the same id, so that an agent can ignore a message that it has.
        assert again.message["messageId"] == lost.message["messageId"]

    async def test_message_is_not_sent_again_if_the_agent_cannot_list_tasks(
        self, troupe: Troupe, log: MemoryLog
    ) -> None:
        troupe["carly"].hold()
        troupe["carly"].can_list = False
        async with playing(troupe, plan_of(), log) as play:
            task_id = await play.ask()
            await troupe["carly"].part()
        troupe["carly"].let_go()
        async with playing(troupe, plan_of(), log) as play:
            row = await play.row_with(task_id, "error")

        assert "carly cannot say whether it received the message" in str(row.message)
        assert len(troupe["carly"].parts) == 1

    async def test_error_if_the_plan_of_a_planner_was_removed(
        self, troupe: Troupe, log: MemoryLog
    ) -> None:
        planning = anyio.Event()

        async def make(text: str, agents: object) -> object:
            planning.set()
            await anyio.sleep_forever()
            return {}

        plans = {"made": Plan("made", "Made", planner=Planner("a:b", make))}
        async with playing(troupe, plans, log) as play:
            task_id = await play.ask()
            await planning.wait()
        async with playing(troupe, {}, log) as play:
            row = await play.row_with(task_id, "error")

        assert row.message == (
            "The host was restarted and cannot go on: the plan 'made' is no longer in "
            "courtside.toml"
        )

    async def test_error_if_an_agent_was_removed(
        self, troupe: Troupe, log: MemoryLog
    ) -> None:
        async with playing(troupe, plan_of(), log) as play:
            task_id = await play.ask()
            await (await troupe["carly"].part()).tell("completed", "C")
            await (await troupe["walter"].part()).tell("completed", "W")
            await until_logged(play, task_id, "carly-1", "walter-1")
        del troupe.puppets["walter"]
        async with playing(troupe, plan_of(), log) as play:
            row = await play.row_with(task_id, "error")

        assert "no agent 'walter' is followed" in str(row.message)

    async def test_error_if_the_agent_lost_the_child_task(
        self, troupe: Troupe, log: MemoryLog
    ) -> None:
        troupe["carly"].quiet = True
        async with playing(troupe, plan_of(), log) as play:
            task_id = await play.ask()
            await until_logged(play, task_id, "carly-1")
        troupe["carly"].parts.clear()
        async with playing(troupe, plan_of(), log) as play:
            row = await play.row_with(task_id, "error")

        assert "carly no longer has the task" in str(row.message)

    async def test_cancel_is_completed(self, troupe: Troupe, log: MemoryLog) -> None:
        async with playing(troupe, plan_of(), log) as play:
            task_id = await play.ask()
            carly = await troupe["carly"].part()
            await until_logged(play, task_id, "carly-1", "walter-1")
            troupe["carly"].deaf = True
            async with anyio.create_task_group() as group:
                group.start_soon(play.orchestrator.cancel, task_id)
                await play.row_with(task_id, "running", "Cancelling…")
                group.cancel_scope.cancel()
        troupe["carly"].deaf = False
        async with playing(troupe, plan_of(), log) as play:
            await play.row_with(task_id, "cancelled")

        assert carly.was_cancelled
