"""Through the host, streams stay resumable while hosts are down.

Real agents, and real hosts that are killed.
"""

from __future__ import annotations

from pathlib import Path

import anyio
import httpx

from tests.support.a2a_client import RESUMABLE, Json
from tests.support.gateway import (
    BINDINGS,
    Subscriber,
    is_over,
    read_whole_task,
    run_numbered_agents,
    update_in,
)
from tests.support.host_client import client, host_at
from tests.support.stack import Stack
from tests.support.waiting import wait_until

KINDS = ("plain", "resumable")


async def test_numbers_continue_after_the_host_is_killed(tmp_path: Path) -> None:
    with (
        run_numbered_agents(tmp_path, KINDS) as others,
        Stack(tmp_path, (), extra_agents=others) as stack,
    ):
        stack.wait_connected(*others)
        readers: list[Subscriber] = []
        async with host_at(stack.url) as host:
            for agent in KINDS:
                task_id = await host.start(agent, "90")
                for binding in BINDINGS:
                    reader = Subscriber(stack.url, agent, task_id, binding)
                    reader.last = "0"
                    readers.append(reader)
        async with anyio.create_task_group() as group:
            for reader in readers:
                group.start_soon(_until_over, reader)
            for _ in range(3):
                seen = len(readers[0].frames)

                async def more(least: int = seen + 5) -> bool:
                    return is_over(readers[0]) or len(readers[0].frames) > least

                await wait_until(more, "some more updates", 30)
                stack.host.kill()
                stack.host.restart()

        for reader in readers:
            assert reader.numbers == [*range(1, len(reader.numbers) + 1)]
        for one, other in (readers[:2], readers[2:]):
            assert one.numbers == other.numbers
            assert [update_in(f) for f in one.frames] == [
                update_in(f) for f in other.frames
            ]


async def _until_over(reader: Subscriber) -> None:
    while not is_over(reader):
        try:
            await reader.read()
        except (httpx.TransportError, httpx.StreamError):
            await anyio.sleep(0.05)


async def test_host_that_follows_a_host_can_resume_any_agent(
    tmp_path: Path,
) -> None:
    """For the second host, the agent has the extension: there is no gap."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with (
        run_numbered_agents(tmp_path, ["plain"]) as others,
        Stack(first, (), extra_agents=others) as near,
        Stack(second, (), extra_agents={"plain": f"{near.url}/a2a/plain"}) as far,
    ):
        far.wait_connected("plain")
        async with host_at(far.url) as host:
            task_id = await host.start("plain", "90")
            await host.row_with(task_id, "running")
        far.host.kill()
        async with host_at(near.url) as host:
            await host.row_with(task_id, "completed")
            logged = await host.history(after=0, task=task_id)
        far.host.restart()
        async with host_at(far.url) as host:
            await host.row_with(task_id, "completed")
            again = await host.history(after=0, task=task_id)

    def without_ids(events: list[Json]) -> list[Json]:
        own = ("id", "received_at", "sequence")
        return [{k: v for k, v in e.items() if k not in own} for e in events]

    assert without_ids(again) == without_ids(logged)
    assert [e["sequence"] for e in again] == [*range(1, len(logged) + 1)]


async def test_missed_updates_are_reported_in_a_numbered_gap(
    tmp_path: Path,
) -> None:
    """The host was down during updates of an agent without the extension."""
    with (
        run_numbered_agents(tmp_path, ["plain"]) as others,
        Stack(tmp_path, (), extra_agents=others) as stack,
    ):
        stack.wait_connected("plain")
        async with host_at(stack.url) as host:
            task_id = await host.start("plain", "90")
            await host.row_with(task_id, "running")
        stack.host.kill()
        async with client() as http:

            async def over() -> bool:
                url = f"{others['plain']}/tasks/{task_id}"
                task = (await http.get(url, headers={"a2a-version": "1.0"})).json()
                return bool(task["status"]["state"] == "TASK_STATE_COMPLETED")

            await wait_until(over, "the task's end", 30)
        stack.host.restart()
        async with host_at(stack.url) as host:
            await host.row_with(task_id, "completed")

        whole = await read_whole_task(stack.url, "plain", task_id)

        assert whole.numbers == [*range(1, len(whole.numbers) + 1)]
        gaps = [
            update
            for update in map(update_in, whole.frames)
            if "gap" in update["metadata"][RESUMABLE]
        ]
        assert gaps[0]["metadata"][RESUMABLE]["gap"]["message"]
        assert gaps[0]["status"]["state"] == "TASK_STATE_WORKING"
