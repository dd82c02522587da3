"""A plan of two parallel steps and a last step, for tests of the orchestrator."""

from __future__ import annotations

from typing import Any

import pytest

from host.orchestrator.run_state import PLAN_URI
from host.plans.plan import Plan, Step
from tests.support.fake_agents import PlanClient
from tests.support.waiting import wait_until

Plans = dict[str, Plan]


def create_plans(**settings: Any) -> Plans:
    """Create a plan of two parallel steps and a last one. The settings are Carly's."""
    steps = [
        Step("first", **{"agent": "carly", **settings}),
        Step("beside", "walter"),
        Step("last", "walter", message="{first}.{beside}", needs=("first", "beside")),
    ]
    return {"plan": Plan("plan", "Plan", steps={step.key: step for step in steps})}


def with_step(**settings: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("client", [settings], indirect=True, ids=[""])


async def wait_until_logged(client: PlanClient, task_id: str, *children: str) -> None:
    """Wait until the log has these child tasks, so that a restarted host has them."""

    async def are_logged() -> bool:
        plan = (await client.task(task_id))["metadata"][PLAN_URI]
        steps = plan.get("steps", {}).values()
        return {step.get("taskId") for step in steps}.issuperset(children)

    await wait_until(are_logged, f"{children} in the log")
