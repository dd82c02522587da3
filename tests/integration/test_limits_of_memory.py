"""One agent whose many open tasks are all large takes little of the host's memory.

docs/limits.md has the limits, tests/support/large_agents.py the agents.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from tests.support.harness import free_port
from tests.support.host_client import HostClient, host_at
from tests.support.large_agents import (
    MB,
    TASKS,
    HalfEvents,
    LargeBodies,
    LargeTasks,
    LongMessages,
)
from tests.support.process_memory import memory_mb, peak_mb
from tests.support.raw_agent import serve
from tests.support.stack import Stack
from tests.support.waiting import wait_until

LONG_S = 240.0
MAX_GROWTH_MB = 64
MAX_MESSAGES_GROWTH_MB = 112
"""The newest events have 32 MiB, the rest is of the message that is read."""
MAX_BODIES_GROWTH_MB = 224
"""The records and the newest events have 32 MiB each, the rest is of two bodies."""


@asynccontextmanager
async def host_with(
    agent: LargeTasks, folder: Path, max_growth_mb: float = MAX_GROWTH_MB
) -> AsyncGenerator[HostClient]:
    """Run a host, let it follow the agent, and check at last how much it grew."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    stack = Stack(folder, [])
    server = asyncio.create_task(serve(port, agent.handle))
    await anyio.to_thread.run_sync(stack.__enter__)
    try:
        async with host_at(stack.url) as host:
            before = memory_mb(stack.host.pid)
            body = {"name": "large", "url": f"{url}/large"}
            (await host.http.post("/agents", json=body)).raise_for_status()
            yield host
            growth = peak_mb(stack.host.pid) - before
    finally:
        server.cancel()
        await anyio.to_thread.run_sync(stack.__exit__, None)
    assert growth < max_growth_mb


async def wait_for_each(host: HostClient, kind: str) -> None:
    """Wait until each task has an event of this kind."""

    async def have_all() -> bool:
        events = await host.history(after=0, agent="large", kind=kind, limit=1_000)
        return len({event["task_id"] for event in events}) == TASKS

    await wait_until(have_all, f"each task to have a {kind}", LONG_S)


async def test_large_events_that_arrive_in_part_take_turns(tmp_path: Path) -> None:
    async with host_with(HalfEvents(), tmp_path) as host:
        await wait_for_each(host, "gap")


async def test_long_messages_of_open_tasks_stay_in_the_log_only(tmp_path: Path) -> None:
    async with host_with(LongMessages(), tmp_path, MAX_MESSAGES_GROWTH_MB) as host:
        await wait_for_each(host, "artifact")
        *_, whole, later = await host.rows("t0")
    assert whole["message"] == "ä" + "x" * 3 * MB
    assert later["shortened"] == {"message": 3 * MB + 2}
    assert whole["message"].startswith(later["message"])


async def test_large_responses_to_get_task_take_turns(tmp_path: Path) -> None:
    agent = LargeBodies()
    async with host_with(agent, tmp_path, MAX_BODIES_GROWTH_MB):
        await wait_until(
            lambda: len(agent.read) == TASKS, "each Task to be read", LONG_S
        )
