"""An agent that answers a reply with a new task: the two tasks are linked."""

from __future__ import annotations

from collections.abc import Iterator

import anyio
import pytest

from host import TaskManager
from tests.support.command_server import command_agents
from tests.support.gateway import sdk_client, state_of, user_request
from tests.support.host_client import HostClient, Json, watch_feed
from tests.support.manager_transports import TRANSPORTS, ManagerTransport, row_of
from tests.support.stack import Stack
from tests.support.waiting import wait_until

AGENTS = ("newtask", "newcontext", "nocontext", "begins")
PLAN = """
[plans.book]
description = "Books a court."

[plans.book.steps.court]
agent = "newtask"
message = "Book a court"
"""


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with command_agents(tmp_path_factory.mktemp("agents"), *AGENTS) as urls:
        yield urls


@pytest.fixture(scope="module")
def stack(
    urls: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, [], extra_agents=urls, toml=PLAN) as running:
        running.wait_connected(*urls)
        yield running


async def row_where(host: HostClient, task_id: str, **fields: object) -> Json:
    """Wait until the newest row of the task has these fields."""

    async def found() -> Json | None:
        rows = await host.rows(task_id)
        is_found = bool(rows) and fields.items() <= rows[-1].items()
        return rows[-1] if is_found else None

    row = await wait_until(found, f"{task_id} with {fields}", 30)
    assert row
    return row


async def ask(host: HostClient, agent: str) -> str:
    task_id = await host.start(agent)
    await host.row_with(task_id, "input-required")
    return task_id


@pytest.mark.parametrize("agent", AGENTS)
async def test_both_rows_name_the_other_task(host: HostClient, agent: str) -> None:
    asked = await ask(host, agent)

    await host.start(agent, "Court two", taskId=asked, contextId="c1")

    after = f"after-{asked}"
    old = await row_where(host, asked, continued_by=after)
    new = await row_where(host, after, status="completed", continues=asked)
    assert old["status"] == "input-required"
    assert "continued_by" not in new
    assert "continues" not in old


async def test_every_row_of_the_new_task_names_the_old_one(host: HostClient) -> None:
    asked = await ask(host, "newtask")
    after = await host.start("newtask", "Court two", taskId=asked)
    await row_where(host, after, status="completed")

    assert {row["continues"] for row in await host.rows(after)} == {asked}
    events = await host.history(after=0, agent="newtask")
    assert "gap" not in {event["kind"] for event in events}


async def test_old_task_waits_again_when_its_agent_asks_again(host: HostClient) -> None:
    asked = await ask(host, "newtask")
    after = await host.start("newtask", "Court two", taskId=asked)
    await row_where(host, asked, continued_by=after)

    await host.start("newtask", "Ask again", taskId=asked)

    row = await row_where(host, asked, message="Really?")
    assert "continued_by" not in row


async def test_links_survive_a_restart_of_the_host(
    stack: Stack, host: HostClient
) -> None:
    asked = await ask(host, "newtask")
    after = await host.start("newtask", "Court two", taskId=asked)
    await row_where(host, after, status="completed")

    stack.host.kill()
    stack.host.start()
    stack.host.wait_ready(stack.host.ready_url)
    stack.wait_connected("newtask")

    async with watch_feed(f"{stack.url}/feed") as reader:
        await reader.until(lambda: bool(reader.seen), "the snapshot")
        snapshot = {row["task_id"]: row for row in reader.seen[0].data["tasks"]}
    assert snapshot[asked]["continued_by"] == after
    assert snapshot[after]["continues"] == asked


@pytest.mark.parametrize("binding", ["JSONRPC", "HTTP+JSON"])
async def test_client_of_the_gateway_gets_the_new_task(
    stack: Stack, host: HostClient, binding: str
) -> None:
    asked = await ask(host, "newtask")
    request = user_request("Court two", task_id=asked)

    async with sdk_client(f"{stack.url}/a2a/newtask", binding) as client:
        updates = [update async for update in client.send_message(request)]

    assert updates[0].task.id == f"after-{asked}"
    assert state_of(updates[-1]) == "TASK_STATE_COMPLETED"


@pytest.mark.parametrize("name", TRANSPORTS)
async def test_task_manager_follows_the_new_task(
    stack: Stack, urls: dict[str, str], name: str
) -> None:
    transport = ManagerTransport(name, {"newtask": urls["newtask"]}, stack.url)
    updates: list[Json] = []
    with anyio.fail_after(60):
        async with transport.manager() as manager:
            asked = await manager.start_task(agent="newtask", message="Book a court")
            await row_of(manager, asked, "input-required")
            await manager.reply(asked, "Court two")
            updates = [update async for update in manager.stream_all()]
            ours = [update async for update in manager.stream(asked)]

    assert ours == updates
    assert updates[-1]["task_id"] == f"after-{asked}"
    assert updates[-1]["status"] == "completed"


async def test_task_manager_adopts_the_task_of_anothers_reply(
    stack: Stack, host: HostClient
) -> None:
    with anyio.fail_after(60):
        async with TaskManager(host=stack.url) as manager:
            asked = await manager.start_task(agent="newtask", message="Book a court")
            await row_of(manager, asked, "input-required")
            after = await host.start("newtask", "Court two", taskId=asked)
            updates = [update async for update in manager.stream_all()]

    assert updates[-1]["task_id"] == after
    assert updates[-1]["status"] == "completed"


async def test_plan_step_follows_the_new_task(host: HostClient) -> None:
    run = await host.start("host", "Book a court", skill="book")
    await host.row_with(run, "input-required")

    await host.start("host", "Court two", taskId=run)

    row = await host.row_with(run, "completed")
    assert "Booked" in row["result"]
    (child,) = {
        row["task_id"]
        for row in await host.history(after=0, agent="newtask", kind="task")
        if row.get("parent_task_id") == run and row.get("continues")
    }
    assert child.startswith("after-")
