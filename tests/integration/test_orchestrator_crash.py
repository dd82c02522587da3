"""The host is killed with SIGKILL while it runs a plan, and resumes the plan.

Real agents, a real host on a SQLite log. No step may run twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.support.a2a_client import agent_at
from tests.support.harness import THOROUGH
from tests.support.host_client import HostClient, host_at
from tests.support.stack import SEED_AGENTS, Stack
from tests.support.waiting import wait_until

KILLS = 3 if THOROUGH else 2
REQUEST = "Schedule a game tomorrow"
Wait = Callable[[HostClient, str], Awaitable[Any]]


async def kill_and_restart(stack: Stack) -> None:
    stack.host.kill()
    await anyio.to_thread.run_sync(stack.host.restart)


async def at_once(host: HostClient, task_id: str) -> None: ...


async def with_children(host: HostClient, task_id: str) -> None:
    async def there() -> bool:
        rows = await host.history(after=0, kind="task")
        return any(row.get("parent_task_id") == task_id for row in rows)

    await wait_until(there, "the first child", 30)


async def half_way(host: HostClient, task_id: str) -> None:
    async def there() -> bool:
        return bool((await host.rows(task_id))[-1]["progress"] > 30)

    await host.row_with(task_id, "running")
    await wait_until(there, "a third of the plan", 30)


async def at_the_question(host: HostClient, task_id: str) -> None:
    await host.row_with(task_id, "input-required", 60)


@pytest.mark.parametrize("when", [at_once, with_children, half_way, at_the_question])
async def test_plan_resumes_after_sigkill_and_runs_no_step_twice(
    tmp_path: Path, when: Wait
) -> None:
    with Stack(tmp_path, step_s=0.1) as stack:
        async with host_at(stack.url) as host:
            task_id = await host.start("host", REQUEST)
            await when(host, task_id)
            await kill_and_restart(stack)

            await at_the_question(host, task_id)
            await reply(host, task_id, "Send")
            last = await host.row_with(task_id, "completed", 60)
            events = await host.history(after=0, task=task_id)

        assert "notify (nancy): Sent 4 invitations" in last["result"]
        assert [event["kind"] for event in events].count("artifact") == 1
        progress = [e["progress"] or 0 for e in events if e["kind"] == "task"]
        assert progress == sorted(progress)
        for name in SEED_AGENTS:
            async with agent_at(stack.agent_url(name)) as agent:
                tasks = await agent.tasks(contextId=last["context_id"])
                assert len(tasks) == 1, name


async def test_plan_completes_after_several_kills(
    tmp_path: Path,
) -> None:
    with Stack(tmp_path, step_s=0.2) as stack:
        async with host_at(stack.url) as host:
            task_id = await host.start("host", REQUEST)
            for _ in range(KILLS):
                before = len(await host.rows(task_id))
                await kill_and_restart(stack)
                await until_more(host, task_id, before)
            await at_the_question(host, task_id)
            await reply(host, task_id, "Don't send")
            last = await host.row_with(task_id, "completed", 60)

        assert "notify (nancy): Nothing was sent." in last["result"]


async def test_child_task_that_its_agent_lost_is_retried(
    tmp_path: Path,
) -> None:
    # Slow enough that Logan still works when the host is killed.
    with Stack(tmp_path, step_s=0.5) as stack:
        async with host_at(stack.url) as host:
            task_id = await host.start("host", REQUEST)
            await half_way(host, task_id)
            stack.host.kill()
            # Logan has no store, so his tasks are lost.
            await anyio.to_thread.run_sync(stack.agents["logan"].restart)
            await anyio.to_thread.run_sync(stack.host.restart)

            await at_the_question(host, task_id)
            rows = await host.history(after=0, agent="logan", kind="task")

        ours = {row["task_id"] for row in rows if row["parent_task_id"] == task_id}
        assert len(ours) == 2, "the plan allows one retry"


async def reply(host: HostClient, task_id: str, text: str) -> None:
    """Reply once the host is connected again to the agent with the question."""

    async def is_accepted() -> bool:
        answer = await host.send("host", text, taskId=task_id)
        assert answer.status_code in (200, 502), answer.text
        return answer.status_code == 200

    await wait_until(is_accepted, "the reply to be accepted", 30)


async def until_more(host: HostClient, task_id: str, before: int) -> None:
    async def more() -> bool:
        return len(await host.rows(task_id)) > before

    await wait_until(more, "the plan to continue", 30)
