"""The orchestrator with the default plan and two more, and its scripted agents."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from host.log.memory_log import MemoryLog
from host.plans.default_plan import get_default_plans
from tests.support.default_plan_run import BY_SKILL, NAMES, WORDS
from tests.support.fake_agents import FakeAgents, PlanClient, run_orchestrator


@pytest.fixture
def agents() -> FakeAgents:
    return FakeAgents(*NAMES)


@pytest.fixture
async def client(agents: FakeAgents) -> AsyncIterator[PlanClient]:
    plans = {**get_default_plans(NAMES), "words": WORDS, "by-skill": BY_SKILL}
    async with run_orchestrator(agents, plans, MemoryLog()) as started:
        yield started
