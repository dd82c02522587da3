"""The orchestrator with a plan of parallel steps, short delays and scripted agents."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from host.log.memory_log import MemoryLog
from tests.support.fake_agents import FakeAgents, PlanClient, run_orchestrator
from tests.support.parallel_plan import create_plans


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


@pytest.fixture
async def client(
    agents: FakeAgents, log: MemoryLog, request: pytest.FixtureRequest
) -> AsyncIterator[PlanClient]:
    """A running plan with the settings of `with_step`."""
    async with run_orchestrator(agents, create_plans(**request.param), log) as started:
        yield started
