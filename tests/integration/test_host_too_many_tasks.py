"""An agent with too many open tasks: the host follows some, and only lists the others.

A real host, and an agent on real sockets.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from host.following.listed_rows import MAX_LISTED
from tests.support.host_client import HostClient, host_at
from tests.support.list_agent import serve_list_agent
from tests.support.paged_agent import PagedAgent
from tests.support.stack import Stack
from tests.support.waiting import wait_until

LIMIT = 10
DEADLINE_S = 60.0


@asynccontextmanager
async def following(agent: PagedAgent, folder: Path) -> AsyncIterator[HostClient]:
    with serve_list_agent(agent) as url:
        toml = f'[agents.agent]\nurl = "{url}"\nmax_tasks = {LIMIT}\n'
        with Stack(folder, [], log="memory", toml=toml) as stack:
            stack.wait_connected("agent")
            async with host_at(stack.url) as host:
                yield host


async def rows(host: HostClient) -> dict[str, str]:
    """Return the status of each task in the feed."""
    events = await host.history(kind="task", agent="agent", limit=1000)
    return {event["task_id"]: event["status"] for event in events}


async def have_rows(host: HostClient, count: int) -> None:
    async def has_all() -> bool:
        return len(await rows(host)) >= count

    await wait_until(has_all, f"{count} tasks in the feed", DEADLINE_S)


def read_ids(agent: PagedAgent) -> set[str]:
    return {asked.params["id"] for asked in agent.asked if asked.method == "GetTask"}


async def test_only_the_newest_tasks_are_read_and_the_others_are_listed(
    tmp_path: Path,
) -> None:
    agent = PagedAgent()
    ids = agent.add_many(3 * LIMIT, "open", "WORKING")
    async with following(agent, tmp_path) as host:
        await have_rows(host, len(ids))

        async def has_trouble() -> bool:
            return bool((await host.agent("agent"))["trouble"])

        await wait_until(has_trouble, "the trouble", DEADLINE_S)
        said = (await host.agent("agent"))["trouble"]
    assert read_ids(agent) == set(ids[-LIMIT:])
    assert f"over {LIMIT} of its tasks are open" in said
    assert "raise max_tasks" in said


async def test_task_over_the_limit_gets_its_result_when_it_ends(tmp_path: Path) -> None:
    agent = PagedAgent()
    ids = agent.add_many(3 * LIMIT, "open", "WORKING")
    async with following(agent, tmp_path) as host:
        await have_rows(host, len(ids))
        agent.add(ids[0], time.time() + 60, "COMPLETED", text="the result")
        row = await host.row_with(ids[0], "completed", DEADLINE_S)
    assert row["result"] == "the result"


async def test_new_state_of_a_task_over_the_limit_comes_from_the_list(
    tmp_path: Path,
) -> None:
    agent = PagedAgent()
    ids = agent.add_many(3 * LIMIT, "open", "SUBMITTED")
    async with following(agent, tmp_path) as host:
        await have_rows(host, len(ids))
        for task in agent.tasks:
            if task["id"] == ids[0]:
                task["status"]["state"] = "TASK_STATE_INPUT_REQUIRED"
        await host.row_with(ids[0], "input-required", DEADLINE_S)
    assert ids[0] not in read_ids(agent)


async def test_newer_task_replaces_the_oldest_followed_one(tmp_path: Path) -> None:
    agent = PagedAgent()
    ids = agent.add_many(LIMIT, "open", "WORKING")
    async with following(agent, tmp_path) as host:
        await have_rows(host, len(ids))
        agent.add("newer", time.time() + 60, "WORKING")
        await have_rows(host, len(ids) + 1)

        async def is_read() -> bool:
            return "newer" in read_ids(agent)

        await wait_until(is_read, "GetTask of the newer task", DEADLINE_S)


async def test_task_that_somebody_opens_is_followed_at_once(tmp_path: Path) -> None:
    agent = PagedAgent()
    ids = agent.add_many(2 * LIMIT, "open", "WORKING")
    async with following(agent, tmp_path) as host:
        await have_rows(host, len(ids))
        oldest = ids[0]
        assert oldest not in read_ids(agent)
        await host.http.get(
            f"/a2a/agent/tasks/{oldest}", headers={"A2A-Version": "1.0"}
        )
        before = len(agent.asked)

        async def is_read_again() -> bool:
            return any(
                asked.method == "GetTask" and asked.params["id"] == oldest
                for asked in agent.asked[before:]
            )

        await wait_until(is_read_again, "a second GetTask", DEADLINE_S)


async def test_tasks_over_the_limit_of_listed_ones_are_left_out_and_reported(
    tmp_path: Path,
) -> None:
    agent = PagedAgent()
    agent.add_many(LIMIT + MAX_LISTED, "open", "WORKING")

    async def count_rows(host: HostClient) -> int:
        page = await host.history(kind="task", agent="agent", limit=10_000)
        return len({event["task_id"] for event in page})

    async with following(agent, tmp_path) as host:

        async def has_all() -> bool:
            return await count_rows(host) == LIMIT + MAX_LISTED

        async def leaves_out() -> bool:
            said = (await host.agent("agent"))["trouble"] or ""
            return "leaves out the rest" in said

        await wait_until(has_all, "a row of each task", DEADLINE_S, poll_s=0.5)
        assert not await leaves_out()
        agent.add("one more", time.time() - 60, "WORKING")
        await wait_until(leaves_out, "the trouble", DEADLINE_S, poll_s=0.5)
        assert await has_all()
