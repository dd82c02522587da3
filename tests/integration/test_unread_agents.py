"""The host does not read its agents while it cannot write their updates to its log."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import anyio.to_thread

from tests.support.failing_log import libc_for, wait_for_failure
from tests.support.fault_proxy import FaultProxy, Faults
from tests.support.harness import Server, free_port
from tests.support.host_client import Watcher, client, watch_feed
from tests.support.process_memory import memory_mb
from tests.support.stack import Stack
from tests.support.waiting import wait_until

SOME = 500
UPDATES, UPDATE_BYTES = 4_000, 40_000
"""Several times what fits into the sockets' buffers and the host."""
MAX_GROWTH_MB = 100.0
STILL = 50


async def test_host_does_not_read_its_agents_while_the_log_fails(
    tmp_path: Path,
) -> None:
    port = free_port()
    agent = Server(
        "chatty",
        [
            sys.executable,
            "-m",
            "tests.support.chatty_agent",
            str(port),
            str(UPDATES),
            str(UPDATE_BYTES),
        ],
        folder=tmp_path,
        url=f"http://127.0.0.1:{port}",
        ready_path="/chatty/.well-known/agent-card.json",
    )
    agent.start()
    await anyio.to_thread.run_sync(agent.wait_ready, agent.ready_url)
    libc = libc_for(tmp_path)
    with FaultProxy(port) as proxy:
        stack = Stack(tmp_path, (), extra_agents={"chatty": f"{proxy.url}/chatty"})
        stack.host.env |= libc.env
        proxy.set_faults(Faults(stall_after=100_000))
        with stack:
            async with watch_feed(f"{stack.url}/feed?after=0") as reader:
                await reader.until(
                    lambda: bool(reader.of_task("t1")), "the first update", 30
                )
                before_mb = memory_mb(stack.host.pid)
                libc.fail_writes()
                proxy.clear_faults()
                await wait_for_failure(stack.url)
                sent = await wait_until_stable(lambda: sent_by(agent))
                growth_mb = memory_mb(stack.host.pid) - before_mb
                libc.allow_writes()
                await reader.until(
                    lambda: len(reader.seen) > sent + SOME,
                    "all sent updates, and more",
                    60,
                )
    agent.kill()
    assert sent < UPDATES / 2
    assert growth_mb < MAX_GROWTH_MB
    numbers = update_numbers(reader)
    assert numbers == list(range(1, len(numbers) + 1))
    assert not [event for event in reader.events if event["kind"] == "gap"]


async def sent_by(agent: Server) -> int:
    """Return the number of the agent's last update."""
    async with client(agent.url) as http:
        task = (await http.get("/chatty/tasks/t1")).json()
    return int(task["status"]["message"]["messageId"].removeprefix("m"))


async def wait_until_stable(count: Callable[[], Awaitable[int]]) -> int:
    """Wait until a count has not changed for a while. Return it."""
    seen = [-1] * STILL

    async def still() -> bool:
        seen.append(await count())
        return len(set(seen[-STILL:])) == 1

    await wait_until(still, "the count to be stable", 60)
    return seen[-1]


def update_numbers(reader: Watcher) -> list[int]:
    """Return the numbers of the task's updates, from their message ids."""
    rows = [event for event in reader.of_task("t1") if event["kind"] == "task"]
    return [int(row["message_id"].removeprefix("m")) for row in rows]
