"""`scripts/bench discovery`: measures how soon the host finds tasks of other clients.

Prints two tables: the time from the start of a task, directly at the agent, until its
first event is in the host's feed; and the requests that the agent gets from the host.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median

import anyio

from bench.table import print_table
from tests.support.a2a_client import agent_at
from tests.support.agent_with_history import TASKS as FINISHED
from tests.support.agent_with_history import AgentWithHistory, Call, serve_agent
from tests.support.host_client import HostClient, Watcher, host_at, watch_feed
from tests.support.stack import Stack

LOADED = ("walter", "logan")
STEP_S = 0.05  # Carly's tasks then take 200 ms.
POLLS_TO_SETTLE = 10


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench discovery")
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument(
        "--seconds", type=float, default=30, help="seconds of idle polling"
    )
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="courtside-bench-") as folder,
        Stack(Path(folder), ("carly", *LOADED), step_s=STEP_S) as stack,
    ):
        found = anyio.run(measure_delays, stack, given.tasks)
    head = [
        f"{given.tasks} tasks of 200 ms",
        "found",
        "complete",
        "median",
        "p90",
        "max",
    ]
    print_table(head, [[name, *row] for name, row in found.items()])
    with tempfile.TemporaryDirectory(prefix="courtside-bench-") as folder:
        measure_requests(Path(folder), given.seconds)


async def measure_delays(stack: Stack, tasks: int) -> dict[str, list[str]]:
    """Return the rows of the first table."""
    found: dict[str, list[str]] = {}
    async with AsyncExitStack() as opened:
        agent = await opened.enter_async_context(agent_at(stack.agent_url("carly")))
        host = await opened.enter_async_context(host_at(stack.url))
        feed = watch_feed(f"{stack.url}/feed?agent=carly")
        reader = await opened.enter_async_context(feed)

        async def through_the_host() -> str:
            return await host.start("carly", "Find a slot")

        async def at_the_agent() -> str:
            return await agent.start("Find a slot")

        found["started through the host"] = await _measure_starts(
            reader, through_the_host, tasks
        )
        found["started at the agent"] = await _measure_starts(
            reader, at_the_agent, tasks
        )
        async with anyio.create_task_group() as load:
            for name in LOADED:
                load.start_soon(_keep_busy, host, name)
            row = await _measure_starts(reader, at_the_agent, tasks)
            load.cancel_scope.cancel()
        found["started at the agent, two other agents busy"] = row
    return found


async def _keep_busy(host: HostClient, agent: str) -> None:
    while True:
        await host.row_with(await host.start(agent), "completed")


async def _measure_starts(
    reader: Watcher, start: Callable[[], Awaitable[str]], tasks: int
) -> list[str]:
    """Start tasks one after the other, with random pauses. Return the row's figures."""
    ms: list[float] = []
    complete = 0
    for _ in range(tasks):
        await anyio.sleep(random.uniform(0, 0.3))
        began = time.perf_counter()
        task_id = await start()
        while not reader.of_task(task_id):  # noqa: ASYNC110 - finer than `until`
            await anyio.sleep(0.002)
        ms.append((time.perf_counter() - began) * 1000)
        await reader.until_over(task_id)
        kinds = [event["kind"] for event in reader.of_task(task_id)]
        complete += "artifact" in kinds and "gap" not in kinds
        reader.seen.clear()
    ms.sort()
    return [
        f"{len(ms)}",
        f"{complete}",
        f"{median(ms):.0f} ms",
        f"{ms[int(0.9 * (len(ms) - 1))]:.0f} ms",
        f"{ms[-1]:.0f} ms",
    ]


def measure_requests(folder: Path, seconds: float) -> None:
    """Print the requests of the host to an agent with 10,000 finished tasks."""
    agent = AgentWithHistory()
    with (
        serve_agent(agent) as url,
        Stack(folder, [], extra_agents={"agent": url}, log="memory") as stack,
    ):
        stack.wait_connected("agent")
        while len(agent.list_calls()) < POLLS_TO_SETTLE:
            time.sleep(0.05)
        first_contact = list(agent.calls)
        time.sleep(seconds)
        idle = agent.calls[len(first_contact) :]
    rows = [
        ["first contact, total", *_cost(first_contact)],
        [f"the next {seconds:g} s", *_cost(idle)],
        ["… per second", *_cost(idle, seconds)],
    ]
    print_table([f"an agent with {FINISHED:,} finished tasks", "calls", "kB"], rows)


def _cost(calls: Sequence[Call], seconds: float = 1) -> list[str]:
    sent = sum(call.answer_bytes for call in calls)
    return [f"{len(calls) / seconds:.1f}", f"{sent / 1000 / seconds:.1f}"]


if __name__ == "__main__":
    main()
