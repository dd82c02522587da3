"""A TaskManager streams, cancels and replies to one of its tasks.

Real agents and a real host. Each test runs with both transports.
"""

from __future__ import annotations

from collections.abc import Iterator

import anyio
import pytest

from host.task_manager.errors import (
    NotAsking,
    Refused,
    UnknownTask,
)
from tests.support.a2a_client import agent_at, start_over_jsonrpc
from tests.support.manager_transports import (
    TRANSPORTS,
    Json,
    ManagerTransport,
    create_transport,
    row_of,
    updates_of,
)
from tests.support.scenario_server import scenario_server
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an agent that can do everything."""
    server = scenario_server(tmp_path_factory.mktemp("scenario"))
    server.start()
    server.wait_ready(server.ready_url)
    yield server.url
    server.terminate()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, scenario: str) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    # Slow enough to act while a task runs.
    with Stack(folder, step_s=0.4, extra_agents={"scenario": scenario}) as running:
        running.wait_connected("scenario")
        yield running


@pytest.fixture(params=TRANSPORTS)
def transport(
    request: pytest.FixtureRequest, stack: Stack, scenario: str
) -> ManagerTransport:
    return create_transport(request.param, stack, scenario=scenario)


def of(updates: list[Json], task_id: str) -> list[Json]:
    return [update for update in updates if update.get("task_id") == task_id]


class TestTask:
    async def test_has_its_own_stream(self, transport: ManagerTransport) -> None:
        async with transport.manager() as manager:
            carly = await manager.start_task("calendar_check")
            walter = await manager.start_task("weather_forecast")
            own = [update async for update in manager.stream(carly)]
            both = await updates_of(manager)

        assert own == of(both, carly)
        assert of(both, walter)

    async def test_can_be_cancelled(self, transport: ManagerTransport) -> None:
        async with transport.manager() as manager:
            task_id = await manager.start_task("weather_forecast")
            await row_of(manager, task_id, "running")
            assert await manager.cancel_task(task_id) == "cancelled"
            updates = await updates_of(manager)

        assert updates[-1]["status"] == "cancelled"
        assert updates[-1]["message"] == "Task cancelled by user request"

    async def test_continues_after_a_reply(self, transport: ManagerTransport) -> None:
        async with transport.manager() as manager:
            task_id = await manager.start_task("invite_everyone")
            asked = []
            async for update in manager.stream_all():
                if update.get("status") == "input-required":
                    asked.append(update["message"])
                    await manager.reply(update["task_id"], "Send")

        assert asked == ["Send 4 invitations?"]
        assert update["task_id"] == task_id
        assert update["result"] == "Sent 4 invitations: Alex, Kim, Robin and Sam."

    async def test_reply_is_not_sent_if_the_task_does_not_wait(
        self, transport: ManagerTransport
    ) -> None:
        async with transport.manager() as manager:
            task_id = await manager.start_task("calendar_check")
            await row_of(manager, task_id, "running")
            with pytest.raises(
                NotAsking, match="does not wait for a reply: it is running"
            ):
                await manager.reply(task_id, "Send")
            updates = await updates_of(manager)
            with pytest.raises(NotAsking, match="it is completed"):
                await manager.reply(task_id, "Send")

        assert updates[-1]["status"] == "completed"
        async with agent_at(transport.agents["carly"]) as carly:
            history = (await carly.get(task_id))["history"]
        assert [m["role"] for m in history].count("ROLE_USER") == 1

    async def test_only_one_of_two_replies_is_sent(
        self, transport: ManagerTransport
    ) -> None:
        async with transport.manager() as manager:
            task_id = await manager.start_task("invite_everyone")
            await row_of(manager, task_id, "input-required")
            outcomes: list[str] = []

            async def reply() -> None:
                try:
                    await manager.reply(task_id, "Don't send")
                except NotAsking:
                    outcomes.append("refused")
                else:
                    outcomes.append("sent")

            async with anyio.create_task_group() as group:
                group.start_soon(reply)
                group.start_soon(reply)
            updates = await updates_of(manager)

        assert sorted(outcomes) == ["refused", "sent"]
        assert updates[-1]["result"] == "Nothing was sent."

    async def test_cannot_be_cancelled_after_its_end(
        self, transport: ManagerTransport
    ) -> None:
        async with transport.manager() as manager:
            task_id = await manager.start_task("availability")
            await updates_of(manager)
            with pytest.raises(Refused, match="carly refuses: Task ") as refused:
                await manager.cancel_task(task_id)
        assert refused.value.reason == "TASK_NOT_CANCELABLE"

    async def test_stream_ends_when_the_agent_rejects_the_task(
        self, transport: ManagerTransport
    ) -> None:
        async with transport.manager() as manager:
            await manager.start_task("refusing")
            updates = await updates_of(manager)
        assert updates[-1]["status"] == "rejected"
        assert updates[-1]["message"] == "Scenario does not do that; ask somebody else."

    async def test_of_another_client_is_unknown(
        self, transport: ManagerTransport
    ) -> None:
        theirs = await start_over_jsonrpc(transport.agents["carly"])
        async with transport.manager() as manager:
            ours = await manager.start_task("availability")
            for call in (manager.cancel_task(theirs), manager.reply(theirs, "Yes")):
                with pytest.raises(UnknownTask, match=f"there are: {ours}"):
                    await call
            with pytest.raises(UnknownTask):
                manager.stream(theirs)
