"""Leaving a TaskManager's block: no task at an agent, no connection, nothing running.

Unless it is asked to. Slow agents, so that there is something to leave.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import anyio
import pytest

from host import TaskManager
from host.errors import AgentUnreachable
from host.task_manager import manager as module
from host.task_manager.errors import HostUnreachable, ManagerClosed
from tests.support.a2a_client import CANCELED, COMPLETED, agent_at
from tests.support.fault_proxy import FaultProxy, Faults
from tests.support.harness import Stack, free_port, until
from tests.support.manager_transports import (
    WAYS,
    Way,
    leaving_nothing,
    row_of,
    updates_of,
    way_to,
)

STEP_S = 0.5


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, ["carly", "nancy"], step_s=STEP_S) as running:
        yield running


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, stack: Stack) -> Way:
    return way_to(request.param, stack)


class Left(Exception):
    """Out of the block."""


async def state(way: Way, agent: str, task_id: str) -> str:
    async with agent_at(way.agents[agent]) as client:
        told: str = (await client.get(task_id))["status"]["state"]
        return told


async def listed(way: Way) -> set[str]:
    """The ids of Carly's tasks."""
    async with agent_at(way.agents["carly"]) as carly:
        return {task["id"] for task in (await carly.http.get("/tasks")).json()["tasks"]}


class TestLeaving:
    async def test_early_cancels_what_is_open(self, way: Way) -> None:
        async with leaving_nothing(), way.manager() as manager:
            working = await manager.start_task("calendar_check")
            asking = await manager.start_task("invite_everyone")
            await row_of(manager, asking, "input-required")
            async for _ in manager.stream_all():
                break

        assert await state(way, "carly", working) == CANCELED
        assert await state(way, "nancy", asking) == CANCELED

    async def test_by_an_error_raises_that_error_and_cancels(self, way: Way) -> None:
        with pytest.raises(Left):
            async with way.manager() as manager:
                working = await manager.start_task("calendar_check")
                raise Left

        assert await state(way, "carly", working) == CANCELED

    @pytest.mark.parametrize("how", ["asyncio", "anyio"])
    async def test_by_being_cancelled_cancels(self, way: Way, how: str) -> None:
        begun: list[str] = []

        async def work() -> None:
            async with way.manager() as manager:
                begun.append(await manager.start_task("calendar_check"))
                await updates_of(manager)

        async def has_begun() -> bool:
            return bool(begun)

        async with leaving_nothing():
            if how == "asyncio":
                task = asyncio.create_task(work())
                await until(has_begun, 10, "the task to begin")
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
                assert task.cancelled()
            else:
                async with anyio.create_task_group() as group:
                    group.start_soon(work)
                    await until(has_begun, 10, "the task to begin")
                    group.cancel_scope.cancel()

        assert await state(way, "carly", begun[0]) == CANCELED

    async def test_cancels_a_start_that_nobody_waited_for(self, way: Way) -> None:
        before = await listed(way)
        async with leaving_nothing(), way.manager() as manager:
            first = await manager.start_task("carly")
            manager.start_task("carly")

        states = [await state(way, "carly", t) for t in await listed(way) - before]
        assert await state(way, "carly", first) == CANCELED
        assert states == [CANCELED] * 2

    async def test_with_leave_running_leaves_them_running(self, way: Way) -> None:
        before = await listed(way)
        async with leaving_nothing(), way.manager(leave_running=True) as manager:
            await manager.start_task("availability")
            manager.start_task("availability")

        started = await listed(way) - before
        assert len(started) == 2

        async def all_done() -> bool:
            return {await state(way, "carly", t) for t in started} == {COMPLETED}

        await until(all_done, 20, "both to be done")

    async def test_after_the_end_leaves_nothing(self, way: Way) -> None:
        async with leaving_nothing(), way.manager() as manager:
            await manager.start_task("availability")
            updates = await updates_of(manager)
        assert updates[-1]["status"] == "completed"

    async def test_ends_the_streams_of_others_with_what_became_of_the_task(
        self, way: Way
    ) -> None:
        async def read(manager: TaskManager) -> None:
            assert (await updates_of(manager))[-1]["status"] == "cancelled"

        async with anyio.create_task_group() as group, way.manager() as manager:
            await manager.start_task("calendar_check")
            group.start_soon(read, manager)
            await anyio.wait_all_tasks_blocked()

    async def test_ends_the_streams_of_others_with_the_reason_where_it_goes_on(
        self, way: Way
    ) -> None:
        async def read(manager: TaskManager) -> None:
            with pytest.raises(ManagerClosed, match="was left"):
                await updates_of(manager)

        async with (
            anyio.create_task_group() as group,
            way.manager(leave_running=True) as manager,
        ):
            await manager.start_task("calendar_check")
            group.start_soon(read, manager)
            await anyio.wait_all_tasks_blocked()

    async def test_does_not_wait_for_ever_where_nobody_answers(
        self, way: Way, stack: Stack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The agent, or the host before it, is there but silent."""
        monkeypatch.setattr(module, "LEAVE_S", 0.3)
        for elsewhere in ("bindings.jsonrpc.CANCEL_S", "tasks.over_host.ANSWER_S"):
            monkeypatch.setattr(f"host.{elsewhere}", 3600)
        silent = stack.agents["carly"] if way.name == "straight" else stack.host

        async def leave() -> None:
            async with leaving_nothing(), way.manager() as manager:
                await manager.start_task("calendar_check")
                silent.pause()

        try:
            await asyncio.wait_for(leave(), 20)
        finally:
            silent.resume()


class TestEntering:
    async def test_without_a_host_says_that_none_answers(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("host.task_manager.via_host.OPEN_S", 0.1)
        url = f"http://127.0.0.1:{free_port()}"
        async with leaving_nothing():
            with pytest.raises(HostUnreachable, match=f"no Courtside host .* {url}"):
                async with TaskManager(host=url):
                    pytest.fail("it was entered")

    async def test_at_what_is_no_host_says_so(self, stack: Stack) -> None:
        url = stack.agent_url("carly")
        async with leaving_nothing():
            with pytest.raises(HostUnreachable, match=r"is no Courtside host.*404"):
                async with TaskManager(host=url):
                    pytest.fail("it was entered")

    async def test_straight_waits_for_an_agent_that_comes_late(
        self, stack: Stack, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def is_lost() -> bool:
            return "connection=lost" in caplog.text

        port = int(stack.agent_url("carly").rpartition(":")[2])
        with FaultProxy(port) as proxy, caplog.at_level("INFO", "courtside.agent_row"):
            proxy.suffer(Faults(refuse=True))
            async with TaskManager({"carly": proxy.url}) as manager:
                start = manager.start_task("availability")
                await until(is_lost, 10, "the agent to be missed")
                proxy.heal()
                assert await start

    async def test_an_agent_that_does_not_come_is_named_with_the_cause(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "REACH_S", 0.5)
        url = f"http://127.0.0.1:{free_port()}"
        async with leaving_nothing(), TaskManager({"carly": url}) as manager:
            for name in ("carly", "calendar_check"):
                with pytest.raises(
                    AgentUnreachable, match=f"carly.*cannot be reached: refused.*{url}"
                ):
                    await manager.start_task(name)
