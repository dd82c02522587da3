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


class InProcessAgent(Agent):
    """An agent in this process, with the app that serves it."""

    def __init__(self, http: httpx.AsyncClient, app: Starlette) -> None:
        super().__init__(http)
        self.app = app


async def skip_sleep(seconds: float) -> None:
    await anyio.lowlevel.checkpoint()


@asynccontextmanager
async def run_agent(
    character: AgentSpec = SCENARIO_AGENT,
    *,
    sleep: Sleep = skip_sleep,
    step_s: float = 1.0,
    limits: Limits = DEFAULT_LIMITS,
) -> AsyncIterator[InProcessAgent]:
    """`character`, served in this process."""
    url = "http://agent.test"
    app = build_app(character, url, step_s=step_s, sleep=sleep, limits=limits)
    async with agent_at(url, httpx.ASGITransport(app)) as agent:
        try:
            yield InProcessAgent(agent.http, app)
        finally:
            await app.state.close()


class PausedClock:
    """A clock that stands still until it is let go, and tells when it was asked."""

    def __init__(self) -> None:
        self.sleep_started = anyio.Event()
        self._go = anyio.Event()

    async def sleep(self, seconds: float) -> None:
        self.sleep_started.set()
        await self._go.wait()

    def release(self) -> None:
        self._go.set()


async def wait_for_state(agent: Agent, task_id: str, state: str) -> dict[str, Any]:
    """The task, as soon as it is in `state`."""
    with anyio.fail_after(5):
        while (task := await agent.get(task_id))["status"]["state"] != state:
            await anyio.sleep(0.005)
    return task


async def wait_for_task(agent: Agent, context_id: str) -> str:
    """The id of the one task of a context, as soon as it is stored."""
    with anyio.fail_after(5):
        while not (tasks := await agent.tasks(contextId=context_id)):
            await anyio.lowlevel.checkpoint()
    (task,) = tasks
    task_id: str = task["id"]
    return task_id
