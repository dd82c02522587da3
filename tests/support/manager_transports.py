"""Both ways of a TaskManager, so that each promise is held over both.

Processes are harness.py's; tests/integration/test_task_manager*.py make managers here.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import anyio

from host import TaskManager
from tests.support.harness import Stack, until

WAYS = ("straight", "over a host")
Json = dict[str, Any]


class Way(NamedTuple):
    """Makes managers of one way to the same agents."""

    name: str
    agents: Mapping[str, str]
    host: str

    def manager(self, *, leave_running: bool = False) -> TaskManager:
        if self.name == "straight":
            return TaskManager(self.agents, leave_running=leave_running)
        return TaskManager(host=self.host, leave_running=leave_running)


def way_to(name: str, stack: Stack, **more: str) -> Way:
    """To the agents of a stack, and to `more` that its host follows."""
    agents = {agent: stack.agent_url(agent) for agent in stack.agents}
    return Way(name, agents | more, stack.url)


async def updates_of(manager: TaskManager, deadline_s: float = 20) -> list[Json]:
    """All of them, to the end."""
    with anyio.fail_after(deadline_s):
        return [update async for update in manager.stream_all()]


async def row_of(
    manager: TaskManager, task_id: str, status: str, deadline_s: float = 10
) -> Json:
    """The first update of a task in which it has a status."""
    with anyio.fail_after(deadline_s):
        async for update in manager.stream(task_id):
            if update.get("status") == status:
                return update
    raise AssertionError(f"{task_id} ended without having been {status}")


def sockets() -> int:
    """How many this process has open."""
    return sum(
        os.readlink(fd).startswith("socket:")
        for fd in Path("/proc/self/fd").iterdir()
        if fd.exists() or fd.is_symlink()
    )


@asynccontextmanager
async def leaving_nothing() -> AsyncIterator[None]:
    """Fails where the block leaves a socket or a task of this loop behind.

    What it leaves to the garbage collector is a ResourceWarning, and those are errors.
    """
    open_before, tasks_before = sockets(), asyncio.all_tasks()
    yield
    assert asyncio.all_tasks() <= tasks_before

    async def closed() -> bool:
        return sockets() <= open_before

    # asyncio closes a socket one turn of its loop later.
    await until(closed, 1, "every socket to be closed")
    gc.collect()
