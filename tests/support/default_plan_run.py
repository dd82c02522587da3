"""Runs the default plan with scripted agents up to a certain point."""

from __future__ import annotations

from host.plans.plan import Plan, Step
from tests.support.fake_agents import (
    FakeAgents,
    PlanClient,
)

NAMES = ("carly", "walter", "logan", "nancy")
WORDS = Plan("words", "Say words", "", ("Say it",), {"say": Step("say", "carly")})
BY_SKILL = Plan("by-skill", "By skill", "", (), {"one": Step("one", None, "walter")})


async def start_three_steps(agents: FakeAgents, client: PlanClient) -> str:
    """Start the default plan. Its first three steps are running."""
    task_id = await client.start("Schedule a game tomorrow")
    for name in NAMES[:3]:
        await (await agents[name].wait_for_task()).set_status("running", "…")
    return task_id


async def run_until_question(agents: FakeAgents, client: PlanClient) -> str:
    """Run the default plan until Nancy's question."""
    task_id = await start_three_steps(agents, client)
    for name in NAMES[:3]:
        await (await agents[name].wait_for_task()).set_status(
            "completed", f"{name}'s word"
        )
    await (await agents["nancy"].wait_for_task()).set_status(
        "input-required", "Send?", 50
    )
    await client.row_with(task_id, "input-required", "nancy: Send?")
    return task_id
