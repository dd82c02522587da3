"""Tests which tasks discovery finds, with a scripted agent.

The feed is real, on a memory log. The connection is fake, and the waits are short.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import anyio
import pytest

from host.clients.bindings.types import Page, Query
from host.clients.connection import Connection
from host.errors import AgentUnreachable
from host.feed.feed import Feed
from host.following import discovery
from host.following.discovery import Discovery
from host.log.contract import Entry
from host.log.memory_log import MemoryLog
from host.model.event import TaskEvent
from host.protocol.a2a_objects import ListedTask

DONE, WORKING = "TASK_STATE_COMPLETED", "TASK_STATE_WORKING"


def format_timestamp(second: int) -> str:
    return f"2026-11-23T12:{second // 60:02}:{second % 60:02}.000Z"


def listed(name: str, second: int | None, state: str = DONE) -> ListedTask:
    return ListedTask(name, state, None if second is None else format_timestamp(second))


class Agent:
    """Lists `tasks` by the A2A specification: filtered, newest first, in pages."""

    can_list = True

    def __init__(self, *tasks: ListedTask) -> None:
        self.tasks = list(tasks)
        self.queries: list[Query] = []
        self.is_lost = False
        self.is_endless = False
        self.has_filters = True

    async def list_tasks(self, query: Query) -> Page:
        self.queries.append(query)
        if self.is_lost:
            raise AgentUnreachable("refused: nothing listens there")
        tasks = sorted(self.tasks, key=lambda t: t.timestamp or "", reverse=True)
        if self.has_filters:
            tasks = [task for task in tasks if _passes(task, query)]
        start = int(query.page_token or 0)
        page = tasks[start : start + query.page_size]
        end = start + query.page_size
        more = str(end) if end < len(tasks) else "0" if self.is_endless else None
        return Page(page, more)

    async def has_card_changed(self) -> bool:
        return False


def _passes(task: ListedTask, query: Query) -> bool:
    late = query.since is None or (task.timestamp or "") >= query.since
    return late and query.status in (None, task.state)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "POLL_S", 0.001)
    monkeypatch.setattr(discovery, "OPEN_TASKS_S", 0.01)


@asynccontextmanager
async def feed_with(*tasks: ListedTask) -> AsyncIterator[Feed]:
    """Run a feed that has these tasks of the agent carly."""
    feed = Feed(MemoryLog())
    await feed.open()
    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        for task in tasks:
            await write(feed, task)
        yield feed
        feed.close()


async def write(feed: Feed, task: ListedTask) -> None:
    row = TaskEvent(
        agent="carly",
        task_id=task.task_id,
        context_id=None,
        status="completed" if task.state == DONE else "running",
        state=task.state,
        progress=None,
        message=None,
        at=task.timestamp,
        received_at=format_timestamp(0),
    )
    await feed.append([Entry.of(f"carly/{task.task_id}", 1, row)])


class Search:
    """A discovery and the tasks that it found. It takes each task once."""

    def __init__(self, feed: Feed) -> None:
        self.found: list[str] = []
        self._discovery = Discovery("carly", feed, self._follow)

    def _follow(self, task: ListedTask) -> bool:
        is_new = task.task_id not in self.found
        if is_new:
            self.found.append(task.task_id)
        return is_new

    async def run(self, agent: Agent) -> None:
        with anyio.fail_after(30):
            await self._discovery.run(cast(Connection, agent))

    async def until(self, agent: Agent, is_true: Callable[[], bool]) -> None:
        """Poll `agent` until the condition is true."""
        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                connection = cast(Connection, agent)
                group.start_soon(self._discovery.run, connection)
                while not is_true():
                    await anyio.sleep(0.001)
                group.cancel_scope.cancel()


async def test_task_that_any_client_starts_is_found() -> None:
    agent = Agent()
    async with feed_with() as feed:
        search = Search(feed)
        await search.until(agent, lambda: len(agent.queries) > 5)
        agent.tasks.append(listed("new", 5, WORKING))
        await search.until(agent, lambda: search.found == ["new"])


async def test_task_that_ended_while_the_agent_was_lost_is_found() -> None:
    """Later timestamps from the streams of other tasks must not hide it."""
    agent = Agent(listed("first", 5))
    async with feed_with() as feed:
        search = Search(feed)
        await search.until(agent, lambda: search.found == ["first"])
        agent.tasks.append(listed("missed", 20))
        await write(feed, listed("streamed", 50, WORKING))
        await search.until(agent, lambda: "missed" in search.found)


async def test_task_that_ended_before_the_host_restarted_is_found() -> None:
    """The only task in the feed has a later timestamp."""
    agent = Agent(listed("missed", 20), listed("in-feed", 40))
    async with feed_with(listed("in-feed", 40)) as feed:
        search = Search(feed)
        await search.until(agent, lambda: search.found == ["missed"])


async def test_task_without_events_in_the_feed_is_found_again() -> None:
    """Its follower may have been cancelled before it wrote anything."""
    agent = Agent(listed("cut-off", 5))
    async with feed_with() as feed:
        search = Search(feed)
        await search.until(agent, lambda: search.found == ["cut-off"])
        search.found.clear()
        await search.until(agent, lambda: search.found == ["cut-off"])


async def test_finished_task_is_not_followed_again_when_it_leaves_the_board() -> None:
    agent = Agent(listed("in-feed", 5))
    async with feed_with(listed("in-feed", 5)) as feed:
        feed.board.finished.clear()
        search = Search(feed)
        await search.until(agent, lambda: len(agent.queries) > 20)
    assert search.found == []


async def test_first_contact_finds_the_latest_and_all_open_tasks() -> None:
    old = [listed(f"old{n}", n) for n in range(60, 600)]
    agent = Agent(*old, listed("waiting", 1, WORKING))
    async with feed_with() as feed:
        search = Search(feed)
        await search.until(agent, lambda: len(agent.queries) > 50)
    assert set(search.found) == {f"old{n}" for n in range(550, 600)} | {"waiting"}


async def test_tasks_are_found_after_the_clock_was_set_back() -> None:
    agent = Agent(listed("tomorrow", 3_000))
    async with feed_with() as feed:
        search = Search(feed)
        await search.until(agent, lambda: bool(search.found))
        agent.tasks += [listed("now", 5), listed("open", 6, WORKING)]
        await search.until(agent, lambda: len(search.found) == 3)


async def test_tasks_without_timestamps_are_found() -> None:
    agent = Agent(listed("done", None), listed("open", None, WORKING))
    async with feed_with() as feed:
        search = Search(feed)
        await search.until(agent, lambda: len(search.found) == 2)


async def test_idle_agent_is_asked_only_for_new_tasks() -> None:
    agent = Agent(*(listed(f"old{n}", n) for n in range(600)))
    async with feed_with() as feed:
        search = Search(feed)
        await search.until(agent, lambda: len(agent.queries) > 30)
    polls = [query for query in agent.queries[10:] if query.since]
    assert polls
    assert all(query.since == format_timestamp(597) for query in polls)
    assert all(not query.page_token for query in polls)


async def test_agent_without_filters_is_not_read_completely_each_time() -> None:
    agent = Agent(*(listed(f"old{n}", n) for n in range(600)))
    agent.has_filters = False
    async with feed_with() as feed:
        search = Search(feed)
        await search.until(agent, lambda: len(agent.queries) > 100)
    assert max(int(query.page_token or 0) for query in agent.queries) <= 100


async def test_list_without_end_is_an_error() -> None:
    agent = Agent(listed("one", 5), listed("open", 6, WORKING))
    agent.is_endless = True
    async with feed_with() as feed:
        search = Search(feed)
        with pytest.raises(AgentUnreachable, match="repeats its tasks"):
            await search.run(agent)


async def test_agent_that_refuses_connections_is_lost_at_once() -> None:
    agent = Agent()
    async with feed_with() as feed:
        search = Search(feed)
        await search.until(agent, lambda: len(agent.queries) > 5)
        agent.is_lost = True
        with pytest.raises(AgentUnreachable, match="refused"):
            await search.run(agent)
