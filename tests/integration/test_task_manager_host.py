"""TaskManager via a host: nothing is lost or repeated when the connection breaks.

The tests compare its updates with the host's log.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from host import TaskManager
from host.errors import AgentUnreachable
from host.task_manager import manager as manager_module
from host.task_manager.errors import HostUnreachable
from tests.support.fault_proxy import FaultProxy, Faults
from tests.support.harness import free_port
from tests.support.host_client import HostClient, host_at
from tests.support.manager_transports import Json, row_of, updates_of
from tests.support.stack import Stack
from tests.support.waiting import wait_until

STEP_S = 0.2


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    nobody = {"nobody": f"http://127.0.0.1:{free_port()}"}
    with Stack(folder, step_s=STEP_S, extra_agents=nobody) as running:
        yield running


@pytest.fixture
def proxy(stack: Stack) -> Iterator[FaultProxy]:
    """A proxy in front of the host."""
    with FaultProxy(int(stack.url.rpartition(":")[2])) as running:
        yield running


async def start_three(manager: TaskManager) -> list[str]:
    names = ("calendar_check", "weather_forecast", "venue_search")
    return [await manager.start_task(name) for name in names]


async def logged_updates(host: HostClient, task_ids: list[str]) -> list[Json]:
    """Return the events of these tasks in the log."""
    return await host.history(after=0, task=task_ids)


async def test_cut_connections_lose_and_repeat_nothing(
    proxy: FaultProxy, host: HostClient
) -> None:
    async with TaskManager(host=proxy.url) as manager:
        task_ids = await start_three(manager)
        updates: list[Json] = []
        async for update in manager.stream_all():
            updates.append(update)
            if len(updates) % 4 == 0:
                # Cuts between two events, and within one.
                proxy.set_faults(Faults(cut_after=1 + 211 * (len(updates) % 7)))

    assert proxy.counts.cuts > 3
    assert updates == await logged_updates(host, task_ids)


async def test_killed_host_loses_and_repeats_nothing(
    stack: Stack, host: HostClient
) -> None:
    async with TaskManager(host=stack.url) as manager:
        task_ids = await start_three(manager)
        await row_of(manager, task_ids[0], "running")
        stack.host.kill()
        await anyio.to_thread.run_sync(stack.host.restart)
        updates = await updates_of(manager)

    assert updates == await logged_updates(host, task_ids)
    ended = [one["task_id"] for one in updates if one.get("status") == "completed"]
    assert sorted(ended) == sorted(task_ids)


async def restart_without_log(stack: Stack) -> None:
    stack.host.kill()
    shutil.rmtree(stack.data_dir)
    await anyio.to_thread.run_sync(stack.host.restart)


async def test_host_without_its_log_finds_the_task_again_after_a_gap(
    tmp_path: Path,
) -> None:
    with Stack(tmp_path, ["nancy"]) as stack:
        async with TaskManager(host=stack.url) as manager:
            task_id = await manager.start_task("invite_everyone")
            seen: list[Json] = []
            async for update in manager.stream(task_id):
                seen.append(update)
                if update.get("status") != "input-required":
                    continue
                if "gap" in [one["kind"] for one in seen]:
                    await manager.reply(task_id, "Send")
                else:
                    await restart_without_log(stack)

    assert [one["kind"] for one in seen].count("gap") == 1
    assert seen[-1]["result"] == "Sent 4 invitations: Alex, Kim, Robin and Sam."


async def test_task_that_a_host_without_its_log_does_not_find_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.task_manager.via_host.FIND_TASK_S", 0.5)
    with Stack(tmp_path, ["nancy"]) as stack:
        async with TaskManager(host=stack.url) as manager:
            task_id = await manager.start_task("invite_everyone")
            await row_of(manager, task_id, "input-required")
            await anyio.to_thread.run_sync(stack.agents["nancy"].restart)
            await restart_without_log(stack)
            with pytest.raises(HostUnreachable, match=f"not found task {task_id}"):
                await updates_of(manager)


async def trim_log_after(cursor: int, host: HostClient) -> None:
    """Add events until the log no longer has the first one after the cursor."""

    async def is_trimmed() -> bool:
        await host.start("nancy", "?!")  # She rejects it at once.
        first: int = (await host.history(after=0, limit=1))[0]["id"]
        return first > cursor + 1

    await wait_until(is_trimmed, f"event {cursor + 1} to be trimmed", 30)


async def test_trimmed_events_become_a_gap(tmp_path: Path) -> None:
    """A manager that was away too long gets a gap, and the current row of each task."""
    toml = "[host]\nkeep_events = 5\n"
    with (
        # Slow enough to cut the connection while the task runs.
        Stack(tmp_path, ["carly", "nancy"], step_s=0.5, toml=toml) as stack,
        FaultProxy(int(stack.url.rpartition(":")[2])) as proxy,
    ):
        async with TaskManager(host=proxy.url) as manager, host_at(stack.url) as host:
            asking = await manager.start_task("invite_everyone")
            await row_of(manager, asking, "input-required")
            running = await manager.start_task("calendar_check")
            await row_of(manager, running, "running")
            proxy.set_faults(Faults(refuse=True))
            proxy.cut()
            cursor = await host.head()  # or less
            await host.row_with(running, "completed")
            await trim_log_after(cursor, host)
            proxy.clear_faults()
            ended = await row_of(manager, running, "completed")
            seen = [
                update
                async for update in manager.stream(running)
                if update["kind"] == "gap" or update == ended
            ]
            await manager.reply(asking, "Send")
            last = await row_of(manager, asking, "completed")

    assert [update["kind"] for update in seen] == ["gap", "task"]
    assert "no longer kept" in seen[0]["message"]
    assert last["result"] == "Sent 4 invitations: Alex, Kim, Robin and Sam."


async def test_host_that_stays_away_is_an_error_after_a_while(
    proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.task_manager.via_host.RECONNECT_S", 0.5)
    monkeypatch.setattr(manager_module, "LEAVE_S", 0.2)
    async with TaskManager(host=proxy.url) as manager:
        task_id = await manager.start_task("calendar_check")
        proxy.set_faults(Faults(refuse=True))
        proxy.cut()
        with pytest.raises(HostUnreachable, match=f"no Courtside host .* {proxy.url}"):
            await updates_of(manager)
        with pytest.raises(HostUnreachable, match="was unreachable for too long"):
            await manager.cancel_task(task_id)


async def test_quiet_host_is_not_given_up(
    proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconnect_s = 2.0
    monkeypatch.setattr("host.task_manager.via_host.RECONNECT_S", reconnect_s)
    async with TaskManager(host=proxy.url) as manager:
        task_id = await manager.start_task("invite_everyone")
        await row_of(manager, task_id, "input-required")
        await anyio.sleep(2 * reconnect_s)
        proxy.cut()
        await manager.reply(task_id, "Don't send")
        last = await row_of(manager, task_id, "completed")
    assert last["result"] == "Nothing was sent."


async def test_lost_response_says_that_the_request_may_have_been_done(
    proxy: FaultProxy,
) -> None:
    async with TaskManager(host=proxy.url) as manager:
        await manager.start_task("carly/availability")
        await updates_of(manager)
        sent = proxy.counts.requests
        proxy.set_faults(Faults(stall_after=0))
        start = manager.start_task("carly/availability")

        async def is_sent() -> bool:
            return proxy.counts.requests > sent

        await wait_until(is_sent, "the start to be sent", 30)
        proxy.cut()
        proxy.clear_faults()
        with pytest.raises(HostUnreachable, match="may have processed the request"):
            await start


async def test_agent_that_the_host_cannot_reach_is_named_with_the_cause(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager_module, "CONNECT_S", 1.0)
    async with TaskManager(host=stack.url) as manager:
        with pytest.raises(
            AgentUnreachable, match="nobody cannot be reached: connection refused"
        ):
            await manager.start_task("nobody")
        with pytest.raises(
            AgentUnreachable, match=r"has 'dance': carly \(calendar_check.*nobody \("
        ):
            await manager.start_task("dance")


async def test_plan_of_the_host_is_a_task_like_any_other(stack: Stack) -> None:
    async with TaskManager(host=stack.url) as manager:
        task_id = await manager.start_task("host", message="Schedule a game tomorrow")
        async for update in manager.stream_all():
            if update.get("status") == "input-required":
                await manager.reply(task_id, "Send")

    assert update["agent"] == "host"
    assert update["status"] == "completed"
