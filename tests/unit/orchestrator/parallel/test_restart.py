"""Tests that a run resumes after a restart of the host."""

from __future__ import annotations

import anyio

from host.log.memory_log import MemoryLog
from host.plans.plan import Plan, Planner
from tests.support.fake_agents import (
    FakeAgents,
    run_orchestrator,
)
from tests.support.parallel_plan import create_plans, wait_until_logged


class TestRestart:
    async def test_plan_resumes_without_repeating_steps(
        self, agents: FakeAgents, log: MemoryLog
    ) -> None:
        async with run_orchestrator(agents, create_plans(), log) as client:
            task_id = await client.start("Now")
            await (await agents["carly"].wait_for_task()).set_status("completed", "C")
            walter = await agents["walter"].wait_for_task()
            await wait_until_logged(client, task_id, "carly-1", "walter-1")
        async with run_orchestrator(agents, create_plans(), log) as client:
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
        async with run_orchestrator(agents, create_plans(), log) as client:
            task_id = await client.start("Now")
            carly = await agents["carly"].wait_for_task()
            await wait_until_logged(client, task_id, "carly-1", "walter-1")
        async with run_orchestrator(agents, {}, log) as client:
            await carly.set_status("completed", "C")
            await agents["walter"].tasks[0].set_status("completed", "W")

            assert (await agents["walter"].wait_for_task(2)).text == "C.W"

    async def test_open_question_can_be_answered(
        self, agents: FakeAgents, log: MemoryLog
    ) -> None:
        async with run_orchestrator(agents, create_plans(), log) as client:
            task_id = await client.start()
            carly = await agents["carly"].wait_for_task()
            await carly.set_status("input-required", "Yes?")
            await client.row_with(task_id, "input-required", "carly: Yes?")
        async with run_orchestrator(agents, create_plans(), log) as client:
            await client.reply(task_id, "Yes")

        assert [reply["parts"] for reply in carly.replies] == [[{"text": "Yes"}]]

    async def test_open_choice_can_be_answered(
        self, agents: FakeAgents, log: MemoryLog
    ) -> None:
        plans = create_plans(on_failure="ask")
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
        async with run_orchestrator(agents, create_plans(), log) as client:
            task_id = await client.start()
            carly = await agents["carly"].wait_for_task()
            await wait_until_logged(client, task_id, "walter-1")
        agents["carly"].release()
        async with run_orchestrator(agents, create_plans(), log) as client:
            await carly.set_status("running", "Half", 50)
            await wait_until_logged(client, task_id, "carly-1")
            await carly.set_status("completed", "C")
            await (await agents["walter"].wait_for_task()).set_status("completed", "W")

            assert (await agents["walter"].wait_for_task(2)).text == "C.W"
        assert len(agents["carly"].tasks) == 1
        assert carly.parent == task_id

    async def test_message_that_never_arrived_is_sent_again(
        self, agents: FakeAgents, log: MemoryLog
    ) -> None:
        agents["carly"].hold()
        async with run_orchestrator(agents, create_plans(), log) as client:
            await client.start()
            lost = await agents["carly"].wait_for_task()
        agents["carly"].release()
        async with run_orchestrator(agents, create_plans(), log) as client:
            again = await agents["carly"].wait_for_task(2)

        # With the same id, so that an agent can ignore a message that it has.
        assert again.message["messageId"] == lost.message["messageId"]

    async def test_message_is_not_sent_again_if_the_agent_cannot_list_tasks(
        self, agents: FakeAgents, log: MemoryLog
    ) -> None:
        agents["carly"].hold()
        agents["carly"].can_list = False
        async with run_orchestrator(agents, create_plans(), log) as client:
            task_id = await client.start()
            await agents["carly"].wait_for_task()
        agents["carly"].release()
        async with run_orchestrator(agents, create_plans(), log) as client:
            row = await client.row_with(task_id, "error")

        assert "cannot find out whether carly received the message" in str(row.message)
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
            "The host was restarted and cannot continue: the plan 'made' is no longer "
            "in courtside.toml"
        )

    async def test_error_if_an_agent_was_removed(
        self, agents: FakeAgents, log: MemoryLog
    ) -> None:
        async with run_orchestrator(agents, create_plans(), log) as client:
            task_id = await client.start()
            await (await agents["carly"].wait_for_task()).set_status("completed", "C")
            await (await agents["walter"].wait_for_task()).set_status("completed", "W")
            await wait_until_logged(client, task_id, "carly-1", "walter-1")
        del agents.by_name["walter"]
        async with run_orchestrator(agents, create_plans(), log) as client:
            row = await client.row_with(task_id, "error")

        assert "no agent 'walter' is followed" in str(row.message)

    async def test_error_if_the_agent_lost_the_child_task(
        self, agents: FakeAgents, log: MemoryLog
    ) -> None:
        agents["carly"].is_silent = True
        async with run_orchestrator(agents, create_plans(), log) as client:
            task_id = await client.start()
            await wait_until_logged(client, task_id, "carly-1")
        agents["carly"].tasks.clear()
        async with run_orchestrator(agents, create_plans(), log) as client:
            row = await client.row_with(task_id, "error")

        assert "carly no longer has the task" in str(row.message)

    async def test_cancel_is_completed(
        self, agents: FakeAgents, log: MemoryLog
    ) -> None:
        async with run_orchestrator(agents, create_plans(), log) as client:
            task_id = await client.start()
            carly = await agents["carly"].wait_for_task()
            await wait_until_logged(client, task_id, "carly-1", "walter-1")
            agents["carly"].ignores_cancel = True
            async with anyio.create_task_group() as group:
                group.start_soon(client.orchestrator.cancel, task_id)
                await client.row_with(task_id, "running", "Cancelling…")
                group.cancel_scope.cancel()
        agents["carly"].ignores_cancel = False
        async with run_orchestrator(agents, create_plans(), log) as client:
            await client.row_with(task_id, "cancelled")

        assert carly.was_cancelled
