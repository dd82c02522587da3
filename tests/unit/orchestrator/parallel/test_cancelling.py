"""Tests that cancelling a run cancels its child tasks."""

from __future__ import annotations

from typing import cast

import anyio
import pytest

from host.errors import AgentUnreachable
from host.following.collector import Collector
from host.orchestrator import child_task
from host.orchestrator.child_task import cancel_child
from tests.support.fake_agents import (
    FakeAgents,
    PlanClient,
)
from tests.support.parallel_plan import wait_until_logged, with_step
from tests.support.waiting import wait_until


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
        await wait_until_logged(client, task_id, "carly-1")
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

        await wait_until(lambda: carly.was_cancelled, "the late child to be cancelled")


class SilentCollector:
    """Of an agent that never answers CancelTask."""

    name = "carly"

    async def cancel(self, task_id: str) -> None:
        await anyio.sleep_forever()


async def test_child_task_of_a_silent_agent_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(child_task, "CANCEL_TIMEOUT_S", 0.05)

    why = await cancel_child(cast("Collector", SilentCollector()), "t1")

    assert why == "no answer within 0.05 s"
