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


class OnStage(Agent):
    """An agent in this process, with the app that serves it."""

    def __init__(self, http: httpx.AsyncClient, app: Starlette) -> None:
        super().__init__(http)
        self.app = app


async def no_time(seconds: float) -> None:
    await anyio.lowlevel.checkpoint()


@asynccontextmanager
async def on_stage(
    character: AgentSpec = SCENARIO_AGENT,
    *,
    sleep: Sleep = no_time,
    step_s: float = 1.0,
    limits: Limits = DEFAULT_LIMITS,
) -> AsyncIterator[OnStage]:
    """`character`, served in this process."""
    url = "http://agent.test"
    app = build_app(character, url, step_s=step_s, sleep=sleep, limits=limits)
    async with agent_at(url, httpx.ASGITransport(app)) as agent:
        try:
            yield OnStage(agent.http, app)
        finally:
            await app.state.close()


class Held:
    """A clock that stands still until it is let go, and tells when it was asked."""

    def __init__(self) -> None:
        self.asked = anyio.Event()
        self._go = anyio.Event()

    async def sleep(self, seconds: float) -> None:
        self.asked.set()
        await self._go.wait()

    def let_go(self) -> None:
        self._go.set()


async def settled(agent: Agent, task_id: str, state: str) -> dict[str, Any]:
    """The task, as soon as it is in `state`."""
    with anyio.fail_after(5):
        while (task := await agent.get(task_id))["status"]["state"] != state:
            await anyio.sleep(0.005)
    return task


async def task_in(agent: Agent, context_id: str) -> str:
    """The id of the one task of a context, as soon as it is stored."""
    with anyio.fail_after(5):
        while not (tasks := await agent.tasks(contextId=context_id)):
            await anyio.lowlevel.checkpoint()
    (task,) = tasks
    task_id: str = task["id"]
    return task_id
