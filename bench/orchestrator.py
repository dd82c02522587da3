"""`scripts/bench orchestrator`: compares the time of a plan with its critical path.

For the critical path, each agent is called alone, without a host. Of parallel steps,
only the slowest counts. The goal is at most 10 % more.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import anyio

from bench.table import print_table
from host.plans.default_plan import get_default_plans
from host.plans.plan import Plan
from tests.support.a2a_client import INPUT_REQUIRED, Agent, agent_at
from tests.support.stack import AGENTS, Stack

REQUEST, REPLY = "Schedule a game tomorrow", "Send"
GOAL = 1.1


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench orchestrator")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--step-s", type=float, default=0.5, help="seconds for each step of the agents"
    )
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="courtside-bench-") as folder,
        Stack(Path(folder), step_s=given.step_s) as stack,
    ):
        rounds = anyio.run(measure, stack, given.rounds)
    (plan,) = get_default_plans(AGENTS).values()
    alone = {key: median(each[key] for each in rounds) for key in plan.steps}
    path_s, took_s = critical_path(plan, alone), median(r["plan"] for r in rounds)
    rows = [[f"{key}, alone", f"{seconds:.2f} s"] for key, seconds in alone.items()]
    ratio = took_s / path_s
    print_table(
        [f"{len(rounds)} rounds, medians", ""],
        [
            *rows,
            ["sum of the steps", f"{sum(alone.values()):.2f} s"],
            ["critical path", f"{path_s:.2f} s"],
            ["plan", f"{took_s:.2f} s"],
            ["plan / critical path", f"× {ratio:.3f}"],
            [f"within × {GOAL}", "yes" if ratio <= GOAL else "NO"],
        ],
    )


async def measure(stack: Stack, rounds: int) -> list[dict[str, float]]:
    """Return, for each round, the seconds of each step alone and of the plan."""
    (plan,) = get_default_plans(AGENTS).values()
    measured = []
    for _ in range(rounds):
        seconds: dict[str, float] = {}
        for step in plan.steps.values():
            async with agent_at(stack.agent_url(str(step.agent))) as agent:
                seconds[step.key] = await time_task(agent, step.skill)
        async with agent_at(f"{stack.url}/a2a/host") as host:
            seconds["plan"] = await time_task(host, plan.key)
        measured.append(seconds)
    return measured


async def time_task(agent: Agent, skill: str | None) -> float:
    """Return the seconds from the request to the end. Answers a question at once."""
    start = time.perf_counter()
    metadata = {"skillId": skill}
    updates = await agent.stream(REQUEST, metadata=metadata)
    if updates[-1]["statusUpdate"]["status"]["state"] == INPUT_REQUIRED:
        await agent.stream(REPLY, taskId=updates[-1]["statusUpdate"]["taskId"])
    return time.perf_counter() - start


def critical_path(plan: Plan, seconds: dict[str, float]) -> float:
    """Return the duration of the longest chain of steps."""
    ends: dict[str, float] = {}
    for key in plan.order().static_order():
        start = max((ends[need] for need in plan.steps[key].needs), default=0)
        ends[key] = start + seconds[key]
    return max(ends.values())


if __name__ == "__main__":
    main()
