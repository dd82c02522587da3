"""After a TaskManager's block, no task, connection or asyncio task is left.

The agents are slow, so that tasks are still open when the block ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import anyio
import pytest

from host import TaskManager
from host.clients.bindings.operations import CANCEL_TASK
from host.errors import AgentUnreachable
from host.task_manager import manager as module
from host.task_manager.errors import HostUnreachable, ManagerClosed
from tests.support.a2a_client import CANCELED, COMPLETED, agent_at
from tests.support.fault_proxy import FaultProxy, Faults
from tests.support.harness import free_port
from tests.support.manager_transports import (
    TRANSPORTS,
    ManagerTransport,
    check_no_leaks,
    create_transport,
    row_of,
    updates_of,
)
from tests.support.stack import Stack
from tests.support.waiting import wait_until

STEP_S = 0.5


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, ["carly", "nancy"], step_s=STEP_S) as running:
        yield running


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest, stack: Stack) -> ManagerTransport:
    return create_transport(request.param, stack)


class Left(Exception):
    """Raised to leave the block."""


async def state(transport: ManagerTransport, agent: str, task_id: str) -> str:
    async with agent_at(transport.agents[agent]) as client:
        status: str = (await client.get(task_id))["status"]["state"]
        return status


async def listed(transport: ManagerTransport) -> set[str]:
    """Return the ids of Carly's tasks."""
    async with agent_at(transport.agents["carly"]) as carly:
        return {task["id"] for task in (await carly.http.get("/tasks")).json()["tasks"]}


class TestLeaving:
    async def test_early_cancels_open_tasks(self, transport: ManagerTransport) -> None:
        async with check_no_leaks(), transport.manager() as manager:
            asking = await manager.start_task("invite_everyone")
            await row_of(manager, asking, "input-required")
            working = await manager.start_task("calendar_check")
            async for _ in manager.stream_all():
                break

        assert await state(transport, "carly", working) == CANCELED
        assert await state(transport, "nancy", asking) == CANCELED

    async def test_with_an_error_cancels_and_raises_it(
        self, transport: ManagerTransport
    ) -> None:
        with pytest.raises(Left):
            async with transport.manager() as manager:
                working = await manager.start_task("calendar_check")
                raise Left

        assert await state(transport, "carly", working) == CANCELED

    @pytest.mark.parametrize("how", ["asyncio", "anyio"])
    async def test_by_cancellation_cancels_open_tasks(
        self, transport: ManagerTransport, how: str
    ) -> None:
        begun: list[str] = []

        async def work() -> None:
            async with transport.manager() as manager:
                begun.append(await manager.start_task("calendar_check"))
                await updates_of(manager)

        async def has_begun() -> bool:
            return bool(begun)

        async with check_no_leaks():
            if how == "asyncio":
                task = asyncio.create_task(work())
                await wait_until(has_begun, "the task to begin", 30)
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
                assert task.cancelled()
            else:
                async with anyio.create_task_group() as group:
                    group.start_soon(work)
                    await wait_until(has_begun, "the task to begin", 30)
                    group.cancel_scope.cancel()

        assert await state(transport, "carly", begun[0]) == CANCELED

    async def test_cancels_a_start_without_await(
        self, transport: ManagerTransport
    ) -> None:
        before = await listed(transport)
        async with check_no_leaks(), transport.manager() as manager:
            first = await manager.start_task("carly")
            manager.start_task("carly")

        states = [
            await state(transport, "carly", t) for t in await listed(transport) - before
        ]
        assert await state(transport, "carly", first) == CANCELED
        assert states == [CANCELED] * 2

    async def test_raises_the_error_of_a_start_without_await(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "SETTLE_S", 0.2)
        async with check_no_leaks():
            with pytest.raises(AgentUnreachable, match="carly cannot be reached"):
                url = f"http://127.0.0.1:{free_port()}"
                async with TaskManager({"carly": url}) as manager:
                    manager.start_task("carly")

    async def test_with_leave_running_does_not_cancel(
        self, transport: ManagerTransport
    ) -> None:
        before = await listed(transport)
        async with check_no_leaks(), transport.manager(leave_running=True) as manager:
            await manager.start_task("availability")
            manager.start_task("availability")

        started = await listed(transport) - before
        assert len(started) == 2

        async def all_done() -> bool:
            return {await state(transport, "carly", t) for t in started} == {COMPLETED}

        await wait_until(all_done, "both to be done", 60)

    async def test_after_the_last_task_leaks_nothing(
        self, transport: ManagerTransport
    ) -> None:
        async with check_no_leaks(), transport.manager() as manager:
            await manager.start_task("availability")
            updates = await updates_of(manager)
        assert updates[-1]["status"] == "completed"

    async def test_gives_other_readers_the_last_update(
        self, transport: ManagerTransport
    ) -> None:
        async def read(manager: TaskManager) -> None:
            assert (await updates_of(manager))[-1]["status"] == "cancelled"

        async with anyio.create_task_group() as group, transport.manager() as manager:
            await manager.start_task("calendar_check")
            group.start_soon(read, manager)
            await anyio.wait_all_tasks_blocked()

    async def test_with_leave_running_ends_other_readers_with_an_error(
        self, transport: ManagerTransport
    ) -> None:
        async def read(manager: TaskManager) -> None:
            with pytest.raises(ManagerClosed, match="has ended"):
                await updates_of(manager)

        async with (
            anyio.create_task_group() as group,
            transport.manager(leave_running=True) as manager,
        ):
            await manager.start_task("calendar_check")
            group.start_soon(read, manager)
            await anyio.wait_all_tasks_blocked()

    async def test_has_a_timeout_if_the_agent_or_host_hangs(
        self, transport: ManagerTransport, stack: Stack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The agent, or the host, accepts connections but does not respond."""
        monkeypatch.setattr(module, "LEAVE_S", 0.3)
        patient = replace(CANCEL_TASK, deadline_s=3600)
        monkeypatch.setattr("host.clients.bindings.base.CANCEL_TASK", patient)
        monkeypatch.setattr("host.task_manager.via_host.RESPONSE_TIMEOUT_S", 3600)
        silent = stack.agents["carly"] if transport.name == "direct" else stack.host

        async def leave() -> None:
            async with check_no_leaks(), transport.manager() as manager:
                await manager.start_task("calendar_check")
                silent.pause()

        try:
            await asyncio.wait_for(leave(), 60)
        finally:
            silent.resume()


class TestEntering:
    async def test_raises_host_unreachable_if_there_is_no_host(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("host.task_manager.via_host.FIRST_CONTACT_S", 0.1)
        url = f"http://127.0.0.1:{free_port()}"
        async with check_no_leaks():
            with pytest.raises(HostUnreachable, match=f"no Courtside host .* {url}"):
                async with TaskManager(host=url):
                    pytest.fail("it was entered")

    async def test_refuses_a_server_that_is_not_a_host(self, stack: Stack) -> None:
        url = stack.agent_url("carly")
        async with check_no_leaks():
            with pytest.raises(HostUnreachable, match=r"is not a Courtside host.*404"):
                async with TaskManager(host=url):
                    pytest.fail("it was entered")

    async def test_direct_transport_waits_for_a_late_agent(
        self, stack: Stack, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def is_lost() -> bool:
            return "connection=lost" in caplog.text

        port = int(stack.agent_url("carly").rpartition(":")[2])
        with FaultProxy(port) as proxy, caplog.at_level("INFO", "courtside.agent_row"):
            proxy.set_faults(Faults(refuse=True))
            async with TaskManager({"carly": proxy.url}) as manager:
                start = manager.start_task("availability")
                await wait_until(is_lost, "the agent to be lost", 30)
                proxy.clear_faults()
                assert await start

    async def test_unreachable_agent_is_named_with_the_cause(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "CONNECT_S", 1.5)
        url = f"http://127.0.0.1:{free_port()}"
        async with check_no_leaks(), TaskManager({"carly": url}) as manager:
            for name in ("carly", "calendar_check"):
                with pytest.raises(
                    AgentUnreachable,
                    match=f"carly.*cannot be reached: connection refused.*{url}",
                ):
                    await manager.start_task(name)
