"""TaskManager streams every update of every task it starts.

Real agents and a real host. Each test runs with both transports.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import anyio
import pytest

from host.task_manager.errors import (
    ManagerClosed,
    UnknownTask,
)
from tests.support.a2a_client import start_over_jsonrpc
from tests.support.host_client import host_at
from tests.support.manager_transports import (
    TRANSPORTS,
    Json,
    ManagerTransport,
    create_transport,
    updates_of,
)
from tests.support.scenario_server import scenario_server
from tests.support.stack import Stack

TERMINAL = {"completed", "error", "cancelled", "rejected"}


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
    with Stack(folder, extra_agents={"scenario": scenario}) as running:
        running.wait_connected("scenario")
        yield running


@pytest.fixture(params=TRANSPORTS)
def transport(
    request: pytest.FixtureRequest, stack: Stack, scenario: str
) -> ManagerTransport:
    return create_transport(request.param, stack, scenario=scenario)


def of(updates: list[Json], task_id: str) -> list[Json]:
    return [update for update in updates if update.get("task_id") == task_id]


class TestStreamAll:
    async def test_yields_every_update_of_every_task_in_order(
        self, transport: ManagerTransport
    ) -> None:
        async with transport.manager() as manager:
            started = [
                await manager.start_task("calendar_check"),
                await manager.start_task("weather_forecast"),
                await manager.start_task("venue_search"),
            ]
            updates = await updates_of(manager)

        ids = [update["id"] for update in updates]
        assert ids == sorted(set(ids))
        assert {update["task_id"] for update in updates} == set(started)
        for task_id in started:
            statuses = [update.get("status") for update in of(updates, task_id)]
            assert statuses[-1] == "completed"
            assert TERMINAL.isdisjoint(statuses[:-1])
        carly = [u for u in of(updates, started[0]) if u["kind"] == "task"]
        assert [row["message"] for row in carly if row["message"]] == [
            "Starting calendar search...",
            "Checking personal calendar...",
            "Querying team calendars...",
            "Finding optimal time slots...",
            "Found 3 available slots for tomorrow!",
        ]
        assert carly[-1]["result"] == "Found 3 available slots for tomorrow!"

    async def test_yields_the_same_events_as_the_feed(
        self, transport: ManagerTransport, stack: Stack
    ) -> None:
        async with transport.manager() as manager:
            task_id = await manager.start_task("streaming")
            updates = await updates_of(manager)

        async with host_at(stack.url) as host:
            await host.row_with(task_id, "completed")
            logged = await host.history(after=0, task=task_id)
        own = ("id", "received_at")
        # The direct transport has its own ids.
        ignored = own if transport.name == "direct" else ()
        assert _without(updates, *ignored) == _without(logged, *ignored)
        assert json.loads(json.dumps(updates)) == updates
        assert {update["kind"] for update in updates} == {"task", "artifact"}

    async def test_includes_tasks_that_start_while_it_runs(
        self, transport: ManagerTransport
    ) -> None:
        async with transport.manager() as manager:
            started = [await manager.start_task("availability")]
            ended: list[str] = []
            async for update in manager.stream_all():
                if update.get("status") == "completed":
                    ended.append(update["task_id"])
                    if len(started) < 3:
                        started.append(await manager.start_task("venue_search"))

        assert ended == started

    async def test_is_complete_for_each_reader_even_a_late_one(
        self, transport: ManagerTransport
    ) -> None:
        async with transport.manager() as manager:
            seen: list[list[Json]] = []

            async def read() -> None:
                seen.append(await updates_of(manager))

            await manager.start_task("calendar_check")
            async with anyio.create_task_group() as group:
                group.start_soon(read)
                group.start_soon(read)
            await read()

        assert seen[0] == seen[1] == seen[2]
        assert seen[0][-1]["status"] == "completed"

    async def test_ends_at_once_if_no_task_was_started(
        self, transport: ManagerTransport
    ) -> None:
        async with transport.manager() as manager:
            assert await updates_of(manager) == []

    async def test_leaves_out_tasks_of_others(
        self, transport: ManagerTransport
    ) -> None:
        async with transport.manager() as manager:
            theirs = await start_over_jsonrpc(transport.agents["carly"])
            ours = await manager.start_task("calendar_check")
            updates = await updates_of(manager)

        assert theirs != ours
        assert {update["task_id"] for update in updates} == {ours}

    async def test_includes_the_message_of_an_agent_without_tasks(
        self, transport: ManagerTransport
    ) -> None:
        async with transport.manager() as manager:
            message_id = await manager.start_task("replying", message="two\u2028lines")
            [update] = await updates_of(manager)
            [again] = [one async for one in manager.stream(message_id)]
            with pytest.raises(UnknownTask, match="cannot be cancelled"):
                await manager.cancel_task(message_id)

        assert update == again
        assert update["kind"] == "message"
        assert update["message_id"] == message_id
        assert update["message"] == "You said two\u2028lines."


class TestUse:
    async def test_outside_the_block_raises_manager_closed(
        self, transport: ManagerTransport
    ) -> None:
        manager = transport.manager()
        with pytest.raises(ManagerClosed, match="async with"):
            manager.start_task("calendar_check")
        async with manager:
            pass
        with pytest.raises(ManagerClosed, match="has ended"):
            manager.stream_all()
        with pytest.raises(ManagerClosed, match="create another one"):
            async with manager:
                pass


def _without(updates: list[Json], *keys: str) -> list[Json]:
    return [{k: v for k, v in one.items() if k not in keys} for one in updates]
