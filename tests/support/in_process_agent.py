"""An agent in the test's process, with a clock that the test controls.

The tests in tests/unit/agents talk A2A to it through a2a_client.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import httpx
from starlette.applications import Starlette

from agents.app import build_app
from agents.executor import Sleep
from agents.limits import DEFAULT_LIMITS, Limits
from agents.steps import AgentSpec
from tests.support.a2a_client import Agent, agent_at
from tests.support.scenario_agent import SCENARIO_AGENT
from tests.support.waiting import wait_until


class InProcessAgent(Agent):
    """A client of the agent, with the app that serves it."""

    def __init__(self, http: httpx.AsyncClient, app: Starlette) -> None:
        super().__init__(http)
        self.app = app


async def skip_sleep(seconds: float) -> None:
    """Sleep no time, but let other tasks run."""
    await anyio.lowlevel.checkpoint()


@asynccontextmanager
async def run_agent(
    spec: AgentSpec = SCENARIO_AGENT,
    *,
    sleep: Sleep = skip_sleep,
    step_s: float = 1.0,
    limits: Limits = DEFAULT_LIMITS,
) -> AsyncIterator[InProcessAgent]:
    """Serve the agent in this process."""
    url = "http://agent.test"
    app = build_app(spec, url, step_s=step_s, sleep=sleep, limits=limits)
    async with agent_at(url, httpx.ASGITransport(app)) as agent:
        try:
            yield InProcessAgent(agent.http, app)
        finally:
            await app.state.close()


class PausedClock:
    """A clock whose sleeps last until `release`. The first sets `sleep_started`."""

    def __init__(self) -> None:
        self.sleep_started = anyio.Event()
        self._go = anyio.Event()

    async def sleep(self, seconds: float) -> None:
        self.sleep_started.set()
        await self._go.wait()

    def release(self) -> None:
        self._go.set()


async def wait_for_state(agent: Agent, task_id: str, state: str) -> dict[str, Any]:
    """Wait until the task is in `state`. Return the task."""

    async def found() -> dict[str, Any] | None:
        task = await agent.get(task_id)
        return task if task["status"]["state"] == state else None

    task = await wait_until(found, f"{task_id} to be in {state}")
    return task or {}


async def wait_for_task(agent: Agent, context_id: str) -> str:
    """Wait until the context has a task. Return the task's id."""
    (task,) = await wait_until(
        lambda: agent.tasks(contextId=context_id), f"a task of {context_id}", poll_s=0
    )
    task_id: str = task["id"]
    return task_id
