"""What goes wrong while a plan runs: failing steps, cancelling, a host that was killed.

The agents are tests/support/plan_agents.py's; the host ends in the middle and begins
again with its log.
"""

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
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
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
    """Carly's step with these settings beside Walter's, then Walter's last."""
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
    """With the plan of the test's own `settings` marker."""
    async with playing(troupe, plan_of(**request.param), log) as started:
        yield started


def with_step(**settings: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("play", [settings], indirect=True, ids=[""])


class TestAFailingStep:
    @with_step(retries=2)
    async def test_is_tried_again_as_often_as_the_plan_says(
        self, troupe: Troupe, play: Play
    ) -> None:
        task_id = await play.ask()
        for number in (1, 2, 3):
            await (await troupe["carly"].part(number)).tell("error", f"No. {number}")

        row = await play.row_with(task_id, "error")
        assert row.message == "first (carly) failed: No. 3"
        assert len({part.message["messageId"] for part in troupe["carly"].parts}) == 3

    @with_step(retries=1)
    async def test_that_succeeds_at_last_goes_on(
        self, troupe: Troupe, play: Play
    ) -> None:
        await play.ask()
        await (await troupe["walter"].part()).tell("completed", "W")
        await (await troupe["carly"].part()).tell("rejected", "No.")
        await (await troupe["carly"].part(2)).tell("completed", "C")

        assert (await troupe["walter"].part(2)).text == "C.W"

    @with_step()
    async def test_fails_the_plan_and_cancels_what_still_runs(
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
    async def test_may_be_skipped(self, troupe: Troupe, play: Play) -> None:
        task_id = await play.ask()
        await (await troupe["carly"].part()).tell("error", "No.")
        await (await troupe["walter"].part()).tell("completed", "W")
        last = await troupe["walter"].part(2)
        await last.tell("completed", "Done.")

        row = await play.row_with(task_id, "completed", "Plan: done, without first.")
        assert last.text == ".W"
        assert str(row.result).startswith("first (carly): skipped: No.\n")

    @with_step(on_failure="ask")
    async def test_may_ask_whether_to_retry(self, troupe: Troupe, play: Play) -> None:
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
    async def test_may_ask_whether_to_go_on(
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
    async def test_that_takes_too_long_is_cancelled(
        self, troupe: Troupe, play: Play
    ) -> None:
        task_id = await play.ask()

        row = await play.row_with(task_id, "error")

        assert row.message == "first (carly) failed: took longer than 0.2 s"
        assert troupe["carly"].parts[0].was_cancelled

    @with_step(timeout_s=0.2)
    async def test_has_time_for_a_person_to_answer(
        self, troupe: Troupe, play: Play
    ) -> None:
        task_id = await play.ask()
        await (await troupe["carly"].part()).tell("input-required", "Yes?")
        await play.row_with(task_id, "input-required")
        await anyio.sleep(0.3)  # Longer than the step may take.
        assert play.row(task_id).status == "input-required"

        await play.reply(task_id, "Yes")

        row = await play.row_with(task_id, "error")
        assert "took longer" in str(row.message), "its time goes on with the answer"

    @with_step(retries=5)
    async def test_that_somebody_cancelled_is_not_tried_again(
        self, troupe: Troupe, play: Play
    ) -> None:
        task_id = await play.ask()

        await (await troupe["carly"].part()).tell("cancelled")

        row = await play.row_with(task_id, "error")
        assert row.message == "first (carly) failed: its task was cancelled"
        assert len(troupe["carly"].parts) == 1

    @with_step()
    async def test_is_told_in_the_agents_words_where_it_is_lost(
        self, troupe: Troupe, play: Play
    ) -> None:
        troupe["carly"].lost = "refused"

        task_id = await play.ask()

        row = await play.row_with(task_id, "error")
        assert row.message == "first (carly) failed: carly cannot be reached: refused"

    @with_step(agent="zoe")
    async def test_names_an_agent_that_is_not_followed(self, play: Play) -> None:
        task_id = await play.ask()

        row = await play.row_with(task_id, "error")
        assert "no agent 'zoe' is followed" in str(row.message)

    @with_step(agent=None, skill="juggling")
    async def test_names_a_skill_that_nobody_has(self, play: Play) -> None:
        task_id = await play.ask()

        row = await play.row_with(task_id, "error")
        assert "no followed agent has the skill 'juggling'" in str(row.message)


async def test_a_planner_that_fails_ends_the_task_and_says_why(troupe: Troupe) -> None:
    def make(text: str, agents: object) -> object:
        return {"steps": {"one": {"agent": "zoe"}}}

    plans = {"made": Plan("made", "Made", planner=Planner("a:b", make))}
    async with playing(troupe, plans, MemoryLog()) as play:
        row = await play.row_with(await play.ask(), "error")

        assert "the planner a:b returned an invalid plan" in str(row.message)
        assert "'zoe', which is not a known agent" in str(row.message)


class TestCancelling:
    @with_step()
    async def test_reaches_every_child_that_is_open(
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
    async def test_leaves_alone_what_has_ended(
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
    async def test_says_which_child_could_not_be_stopped(
        self, troupe: Troupe, play: Play
    ) -> None:
        task_id = await play.ask()
        await (await troupe["carly"].part()).tell("running", "…")
        await (await troupe["walter"].part()).tell("running", "…")
        await until_told(play, task_id, "carly-1")
        troupe["carly"].refusal = AgentUnreachable("no")

        await play.orchestrator.cancel(task_id)

        assert play.row(task_id).message == (
            "Cancelled. first (carly) could not be stopped: no"
        )

    @with_step()
    async def test_reaches_a_child_that_was_just_being_started(
        self, troupe: Troupe, play: Play
    ) -> None:
        troupe["carly"].hold()
        task_id = await play.ask()
        carly = await troupe["carly"].part()

        await play.orchestrator.cancel(task_id)
        assert play.row(task_id).status == "cancelled"
        troupe["carly"].let_go()

        await until(lambda: carly.was_cancelled, "the late child to be cancelled")


async def until_told(play: Play, task_id: str, *children: str) -> None:
    """Until the log has these children of a task: a host that is killed knows them."""

    async def are_told() -> bool:
        plan = (await play.task(task_id))["metadata"][PLAN_URI]
        steps = plan.get("steps", {}).values()
        return {step.get("taskId") for step in steps}.issuperset(children)

    await eventually(are_told, f"{children} in the log")


class TestAHostThatWasKilled:
    async def test_goes_on_where_it_was(self, troupe: Troupe, log: MemoryLog) -> None:
        async with playing(troupe, plan_of(), log) as play:
            task_id = await play.ask("Now")
            await (await troupe["carly"].part()).tell("completed", "C")
            walter = await troupe["walter"].part()
            await until_told(play, task_id, "carly-1", "walter-1")
        async with playing(troupe, plan_of(), log) as play:
            await walter.tell("completed", "W")
            last = await troupe["walter"].part(2)
            await last.tell("completed", "Done.")
            row = await play.row_with(task_id, "completed")

        assert last.text == "C.W"
        assert str(row.result).endswith("last (walter): Done.")
        assert len(troupe["carly"].parts) == 1
        assert len(troupe["walter"].parts) == 2

    async def test_keeps_to_the_plan_that_it_began_with(
        self, troupe: Troupe, log: MemoryLog
    ) -> None:
        async with playing(troupe, plan_of(), log) as play:
            task_id = await play.ask("Now")
            carly = await troupe["carly"].part()
            await until_told(play, task_id, "carly-1", "walter-1")
        async with playing(troupe, {}, log) as play:
            await carly.tell("completed", "C")
            await troupe["walter"].parts[0].tell("completed", "W")

            assert (await troupe["walter"].part(2)).text == "C.W"

    async def test_asks_again_what_it_asked(
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

    async def test_still_asks_what_to_do_about_a_failure(
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

    async def test_finds_the_task_whose_answer_it_did_not_see(
        self, troupe: Troupe, log: MemoryLog
    ) -> None:
        troupe["carly"].hold()
        async with playing(troupe, plan_of(), log) as play:
            task_id = await play.ask()
            carly = await troupe["carly"].part()
            await until_told(play, task_id, "walter-1")
        troupe["carly"].let_go()
        async with playing(troupe, plan_of(), log) as play:
            await carly.tell("running", "Half", 50)
            await until_told(play, task_id, "carly-1")
            await carly.tell("completed", "C")
            await (await troupe["walter"].part()).tell("completed", "W")

            assert (await troupe["walter"].part(2)).text == "C.W"
        assert len(troupe["carly"].parts) == 1
        assert carly.parent == task_id

    async def test_sends_again_what_never_arrived(
        self, troupe: Troupe, log: MemoryLog
    ) -> None:
        troupe["carly"].hold()
        async with playing(troupe, plan_of(), log) as play:
            await play.ask()
            lost = await troupe["carly"].part()
        troupe["carly"].let_go()
        async with playing(troupe, plan_of(), log) as play:
            again = await troupe["carly"].part(2)

        # The same message: an agent that did get it can tell.
        assert again.message["messageId"] == lost.message["messageId"]

    async def test_does_not_send_again_where_nobody_knows_if_it_arrived(
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

    async def test_says_when_a_planners_plan_has_gone(
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

    async def test_says_when_an_agent_has_gone(
        self, troupe: Troupe, log: MemoryLog
    ) -> None:
        async with playing(troupe, plan_of(), log) as play:
            task_id = await play.ask()
            await (await troupe["carly"].part()).tell("completed", "C")
            await (await troupe["walter"].part()).tell("completed", "W")
            await until_told(play, task_id, "carly-1", "walter-1")
        del troupe.puppets["walter"]
        async with playing(troupe, plan_of(), log) as play:
            row = await play.row_with(task_id, "error")

        assert "no agent 'walter' is followed" in str(row.message)

    async def test_says_when_a_child_is_no_longer_known(
        self, troupe: Troupe, log: MemoryLog
    ) -> None:
        troupe["carly"].quiet = True
        async with playing(troupe, plan_of(), log) as play:
            task_id = await play.ask()
            await until_told(play, task_id, "carly-1")
        troupe["carly"].parts.clear()
        async with playing(troupe, plan_of(), log) as play:
            row = await play.row_with(task_id, "error")

        assert "carly no longer has the task" in str(row.message)

    async def test_ends_the_cancelling_that_it_began(
        self, troupe: Troupe, log: MemoryLog
    ) -> None:
        async with playing(troupe, plan_of(), log) as play:
            task_id = await play.ask()
            carly = await troupe["carly"].part()
            await until_told(play, task_id, "carly-1", "walter-1")
            troupe["carly"].deaf = True
            async with anyio.create_task_group() as group:
                group.start_soon(play.orchestrator.cancel, task_id)
                await play.row_with(task_id, "running", "Cancelling…")
                group.cancel_scope.cancel()
        troupe["carly"].deaf = False
        async with playing(troupe, plan_of(), log) as play:
            await play.row_with(task_id, "cancelled")

        assert carly.was_cancelled
