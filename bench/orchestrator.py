"""`scripts/bench orchestrator`: compare a plan's wall time with its critical path.

The critical path is the time of the steps when each agent is asked alone, without a
host. Of parallel steps only the slowest counts. Aim: at most 10 % more.
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
from tests.support.harness import AGENTS, Stack

REQUEST, ANSWER = "Schedule a game tomorrow", "Send"
AIM = 1.1


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench orchestrator")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--step-s", type=float, default=0.5, help="seconds per step of the agents"
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
    over = took_s / path_s
    print_table(
        [f"{len(rounds)} rounds, medians", ""],
        [
            *rows,
            ["one after the other", f"{sum(alone.values()):.2f} s"],
            ["critical path", f"{path_s:.2f} s"],
            ["the plan", f"{took_s:.2f} s"],
            ["the plan / critical path", f"× {over:.3f}"],
            [f"within × {AIM}", "yes" if over <= AIM else "NO"],
        ],
    )


async def measure(stack: Stack, rounds: int) -> list[dict[str, float]]:
    """Measure each step alone, and then the plan, in each round."""
    (plan,) = get_default_plans(AGENTS).values()
    measured = []
    for _ in range(rounds):
        found: dict[str, float] = {}
        for step in plan.steps.values():
            async with agent_at(stack.agent_url(str(step.agent))) as agent:
                found[step.key] = await seconds_of(agent, step.skill)
        async with agent_at(f"{stack.url}/a2a/host") as host:
            found["plan"] = await seconds_of(host, plan.key)
        measured.append(found)
    return measured


async def seconds_of(agent: Agent, skill: str | None) -> float:
    """Measure from the request to the end. Questions are answered at once."""
    begun = time.perf_counter()
    metadata = {"skillId": skill}
    updates = await agent.stream(REQUEST, metadata=metadata)
    if updates[-1]["statusUpdate"]["status"]["state"] == INPUT_REQUIRED:
        await agent.stream(ANSWER, taskId=updates[-1]["statusUpdate"]["taskId"])
    return time.perf_counter() - begun


def critical_path(plan: Plan, seconds: dict[str, float]) -> float:
    """Return the length of the longest path through the steps."""
    ends: dict[str, float] = {}
    for key in plan.order().static_order():
        begins = max((ends[need] for need in plan.steps[key].needs), default=0)
        ends[key] = begins + seconds[key]
    return max(ends.values())


if __name__ == "__main__":
    main()
