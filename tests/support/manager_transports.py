"""Creates TaskManagers over both transports, so that tests check each promise twice."""

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
from tests.support.stack import Stack
from tests.support.waiting import wait_until

TRANSPORTS = ("direct", "via host")
Json = dict[str, Any]


class ManagerTransport(NamedTuple):
    """Creates managers with one transport to the same agents."""

    name: str
    agents: Mapping[str, str]
    host: str

    def manager(self, *, leave_running: bool = False) -> TaskManager:
        if self.name == "direct":
            return TaskManager(self.agents, leave_running=leave_running)
        return TaskManager(host=self.host, leave_running=leave_running)


def create_transport(name: str, stack: Stack, **more: str) -> ManagerTransport:
    """Reach the agents of a stack, and `more` agents that its host follows."""
    agents = {agent: stack.agent_url(agent) for agent in stack.agents}
    return ManagerTransport(name, agents | more, stack.url)


async def updates_of(manager: TaskManager, deadline_s: float = 60) -> list[Json]:
    """Read all updates to the end."""
    with anyio.fail_after(deadline_s):
        return [update async for update in manager.stream_all()]


async def row_of(
    manager: TaskManager, task_id: str, status: str, deadline_s: float = 60
) -> Json:
    """Return the first update of a task with this status."""
    with anyio.fail_after(deadline_s):
        async for update in manager.stream(task_id):
            if update.get("status") == status:
                return update
    raise AssertionError(f"{task_id} ended and never was {status}")


def sockets() -> int:
    """Count the open sockets of this process."""
    return sum(
        os.readlink(fd).startswith("socket:")
        for fd in Path("/proc/self/fd").iterdir()
        if fd.exists() or fd.is_symlink()
    )


@asynccontextmanager
async def check_no_leaks() -> AsyncIterator[None]:
    """Fail if the block leaves a socket or an asyncio task behind.

    Leftovers for the garbage collector give a ResourceWarning, which is an error.
    """
    open_before, tasks_before = sockets(), asyncio.all_tasks()
    yield
    assert asyncio.all_tasks() <= tasks_before

    async def closed() -> bool:
        return sockets() <= open_before

    # asyncio closes a socket in the next iteration of its loop.
    await wait_until(closed, "every socket to be closed", 30)
    gc.collect()
