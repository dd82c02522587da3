"""An agent that uses the ids of its tasks again: both tasks are in the feed, apart.

A real host, and an agent on real sockets that loses its tasks.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.host_client import HostClient, Json, host_at
from tests.support.list_agent import Answer
from tests.support.list_stack import list_stack
from tests.support.paged_agent import PagedAgent
from tests.support.waiting import wait_until

DEADLINE_S = 40.0


@asynccontextmanager
async def following(agent: PagedAgent, folder: Path) -> AsyncIterator[HostClient]:
    with list_stack(agent, folder) as stack:
        async with host_at(stack.url) as host:
            yield host


async def restart(host: HostClient, agent: PagedAgent) -> None:
    """Lose all tasks of the agent, and be away for a moment."""
    agent.away = True

    async def is_lost() -> bool:
        return bool((await host.agent("agent"))["connection"] == "lost")

    await wait_until(is_lost, "the loss of the agent", DEADLINE_S)
    agent.tasks.clear()
    agent.away = False


async def events_after_gap(host: HostClient) -> tuple[list[Json], list[Json]]:
    """Return the events of task 1 before and after the gap between the two tasks."""
    events = [e for e in await host.history(limit=1000) if e.get("task_id") == "1"]
    gaps = [n for n, e in enumerate(events) if e["kind"] == "gap" and "new_task" in e]
    assert len(gaps) == 1
    return events[: gaps[0]], events[gaps[0] + 1 :]


async def has_result(host: HostClient, text: str) -> None:
    async def is_there() -> bool:
        rows = await host.rows("1")
        return any(row.get("result") == text for row in rows)

    await wait_until(is_there, f"the result {text}", DEADLINE_S)


@pytest.mark.parametrize("context", ["c", "other"])
async def test_task_with_a_used_id_follows_a_gap(tmp_path: Path, context: str) -> None:
    agent = PagedAgent()
    agent.add("1", time.time(), text="old")
    async with following(agent, tmp_path) as host:
        await has_result(host, "old")
        await restart(host, agent)
        agent.add("1", time.time() + 5, context=context, text="new")
        await has_result(host, "new")
        before, after = await events_after_gap(host)
    assert [event.get("result") for event in before] == ["old"]
    assert [event.get("result") for event in after] == ["new"]
    assert {event["context_id"] for event in after} == {context}


async def test_open_task_with_a_used_id_is_followed_to_its_end(tmp_path: Path) -> None:
    agent = PagedAgent()
    agent.add("1", time.time(), text="old")
    async with following(agent, tmp_path) as host:
        await has_result(host, "old")
        await restart(host, agent)
        agent.add("1", time.time() + 5, "WORKING", text="on it")
        await host.row_with("1", "running", DEADLINE_S)
        agent.add("1", time.time() + 9, text="new")
        await has_result(host, "new")
        before, after = await events_after_gap(host)
    assert [event["status"] for event in before] == ["completed"]
    assert [event["status"] for event in after] == ["running", "completed"]


async def test_open_task_whose_id_went_to_another_task_ends(tmp_path: Path) -> None:
    agent = PagedAgent()
    agent.add("1", time.time(), "WORKING", text="on it")
    async with following(agent, tmp_path) as host:
        await host.row_with("1", "running", DEADLINE_S)
        await restart(host, agent)
        agent.add("1", time.time() + 5, context="other", text="new")
        await has_result(host, "new")
        before, after = await events_after_gap(host)
    assert [event.get("status") for event in before] == ["running", None, "error"]
    assert [event["status"] for event in after] == ["completed"]


async def test_finished_task_with_a_later_time_alone_is_the_same(
    tmp_path: Path,
) -> None:
    agent = PagedAgent()
    agent.add("1", time.time(), text="old")
    async with following(agent, tmp_path) as host:
        await has_result(host, "old")
        head = await host.head()
        agent.add("1", time.time() + 5, text="old")
        reads = agent.count("GetTask")

        async def is_compared() -> bool:
            return agent.count("GetTask") > reads

        await wait_until(is_compared, "another GetTask", DEADLINE_S)
        agent.add("2", time.time() + 9)
        await host.row_with("2", "completed", DEADLINE_S)
        events = await host.history(after=head, limit=1000)
    assert {event["task_id"] for event in events if "task_id" in event} == {"2"}


class RestlessAgent(PagedAgent):
    """With each GetTask, task 1 becomes what `states` has next, and is new in time."""

    states: tuple[str, ...] = ("COMPLETED",)

    def answer(self, method: str, params: Json) -> Answer:
        if method == "GetTask":
            number = self.count("GetTask")
            state = self.states[number % len(self.states)]
            self.add("1", time.time(), state, text=f"read {number}")
        return super().answer(method, params)


@pytest.mark.parametrize("states", [("COMPLETED",), ("COMPLETED", "WORKING")])
async def test_task_that_changes_after_its_end_is_the_same(
    tmp_path: Path, states: tuple[str, ...]
) -> None:
    agent = RestlessAgent()
    agent.states = states
    agent.add("1", time.time(), "WORKING")
    async with following(agent, tmp_path) as host:
        await host.row_with("1", "completed", DEADLINE_S)
        reads = agent.count("GetTask")

        async def is_read_often() -> bool:
            return agent.count("GetTask") > reads + 6

        await wait_until(is_read_often, "GetTask again and again", DEADLINE_S)
        agent.add("2", time.time() + 9)
        await host.row_with("2", "completed", DEADLINE_S)
        events = [e for e in await host.history(limit=1000) if e.get("task_id") == "1"]
    assert [e["status"] for e in events if e["kind"] == "task"][-1] == "completed"
    assert not [e for e in events if "new_task" in e]
    assert sum(e.get("status") == "completed" for e in events) == 1
