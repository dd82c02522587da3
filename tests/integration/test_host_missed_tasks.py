"""No task that ended while the agent or the host was away stays out of the feed.

A real host and agents on real sockets. The sweep of all tasks comes after 10 minutes,
too late to help.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import anyio.to_thread
import pytest

from tests.support.host_client import HostClient, host_at
from tests.support.list_stack import list_stack
from tests.support.paged_agent import PagedAgent
from tests.support.stack import Stack
from tests.support.waiting import wait_until

DEADLINE_S = 40.0


async def have_ended(host: HostClient, expected: Iterable[str]) -> None:
    """Wait until the feed has the end of each of these tasks."""
    missing = set(expected)

    async def is_complete() -> bool:
        events = await host.history(kind="task", agent="agent", limit=1000)
        missing.difference_update(
            event["task_id"] for event in events if event["status"] == "completed"
        )
        return not missing

    await wait_until(is_complete, "the end of every task", DEADLINE_S)


async def is_lost(stack: Stack) -> None:
    async with host_at(stack.url) as host:

        async def lost() -> bool:
            row = await host.agent("agent")
            return bool(row["connection"] == "lost")

        await wait_until(lost, "the loss of the agent", DEADLINE_S)


@pytest.mark.parametrize("has_filters", [True, False])
async def test_tasks_are_found_when_the_connection_breaks_between_two_pages(
    tmp_path: Path, has_filters: bool
) -> None:
    agent = PagedAgent()
    agent.has_filters = has_filters
    expected = agent.add_many(3, "early")
    with list_stack(agent, tmp_path) as stack:
        async with host_at(stack.url) as host:
            await have_ended(host, expected)
            agent.away = True
            await is_lost(stack)
            expected += agent.add_many(120, "missed")
            agent.cut_page, agent.away = True, False
            await have_ended(host, expected)
    assert not agent.cut_page


async def test_tasks_are_found_when_the_host_is_killed_before_it_records_them(
    tmp_path: Path,
) -> None:
    """The host has recorded later ones."""
    agent = PagedAgent()
    expected = agent.add_many(3, "early")
    with list_stack(agent, tmp_path, log="sqlite") as stack:
        async with host_at(stack.url) as host:
            await have_ended(host, expected)
            agent.away = True
            await is_lost(stack)
            missed = agent.add_many(120, "missed")
            agent.may_read.clear()
            agent.away = False

            async def has_listed() -> bool:
                return any(asked.params.get("pageToken") for asked in agent.asked)

            await wait_until(has_listed, "the second page", DEADLINE_S)
        stack.host.kill()
        agent.may_read.set()
        await anyio.to_thread.run_sync(stack.host.restart, DEADLINE_S)
        async with host_at(stack.url) as host:
            await have_ended(host, expected + missed)


async def test_agent_that_is_lost_again_and_again_is_read_to_the_end(
    tmp_path: Path,
) -> None:
    """Each connection breaks after one more page."""
    agent = PagedAgent()
    expected = agent.add_many(3, "early")
    with list_stack(agent, tmp_path) as stack:
        async with host_at(stack.url) as host:
            await have_ended(host, expected)
            agent.away = True
            await is_lost(stack)
            expected += agent.add_many(200, "missed")
            for _ in range(3):
                agent.cut_page, agent.away = True, False

                async def is_cut() -> bool:
                    return not agent.cut_page

                await wait_until(is_cut, "a cut", DEADLINE_S)
            await have_ended(host, expected)


async def test_task_that_only_the_list_knows_is_recorded(tmp_path: Path) -> None:
    agent = PagedAgent()
    expected = agent.add_many(1, "only-listed")
    agent.answers["GetTask"] = lambda _: (
        200,
        {},
        b'{"jsonrpc": "2.0", "id": 1, "error": {"code": -32001, "message": "unknown"}}',
    )
    with list_stack(agent, tmp_path) as stack:
        async with host_at(stack.url) as host:
            await have_ended(host, expected)
            events = await host.history(agent="agent", kind="gap")
            assert [gap["task_id"] for gap in events] == expected
            assert "GetTask does not know it" in events[0]["message"]
