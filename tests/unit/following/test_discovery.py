"""Which tasks are found, with an agent that lists exactly what the test wants.

A real feed on a memory log; the connection is played, and time is short.
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
from host.log.memory import MemoryLog
from host.model.event import TaskEvent
from host.protocol.a2a_objects import ListedTask

DONE, WORKING = "TASK_STATE_COMPLETED", "TASK_STATE_WORKING"


def format_timestamp(second: int) -> str:
    return f"2026-11-23T12:{second // 60:02}:{second % 60:02}.000Z"


def listed(name: str, second: int | None, state: str = DONE) -> ListedTask:
    return ListedTask(name, state, None if second is None else format_timestamp(second))


class Agent:
    """Lists `tasks` as A2A says: filtered, newest first, page by page."""

    can_list = True

    def __init__(self, *tasks: ListedTask) -> None:
        self.tasks = list(tasks)
        self.asked: list[Query] = []
        self.gone = False
        self.endless = False
        self.knows_filters = True

    async def list_tasks(self, query: Query) -> Page:
        self.asked.append(query)
        if self.gone:
            raise AgentUnreachable("refused: nothing listens there")
        tasks = sorted(self.tasks, key=lambda t: t.timestamp or "", reverse=True)
        if self.knows_filters:
            tasks = [task for task in tasks if _passes(task, query)]
        start = int(query.page_token or 0)
        page = tasks[start : start + query.page_size]
        end = start + query.page_size
        more = str(end) if end < len(tasks) else "0" if self.endless else None
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
    """A feed that has these tasks of carly."""
    feed = Feed(MemoryLog())
    await feed.open()
    async with anyio.create_task_group() as group:
        group.start_soon(feed.write)
        for task in tasks:
            await tell(feed, task)
        yield feed
        feed.close()


async def tell(feed: Feed, task: ListedTask) -> None:
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


class Looking:
    """A Discovery, and what it has found; like a collector it follows a task once."""

    def __init__(self, feed: Feed) -> None:
        self.found: list[str] = []
        self._discovery = Discovery("carly", feed, self._follow)

    def _follow(self, task_id: str) -> bool:
        is_new = task_id not in self.found
        if is_new:
            self.found.append(task_id)
        return is_new

    async def to_the_end(self, agent: Agent) -> None:
        with anyio.fail_after(5):
            await self._discovery.run(cast(Connection, agent))

    async def until(self, agent: Agent, true: Callable[[], bool]) -> None:
        """Looks at `agent` until that is true."""
        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                connection = cast(Connection, agent)
                group.start_soon(self._discovery.run, connection)
                while not true():
                    await anyio.sleep(0.001)
                group.cancel_scope.cancel()


async def test_what_anyone_starts_is_found() -> None:
    agent = Agent()
    async with feed_with() as feed:
        looking = Looking(feed)
        await looking.until(agent, lambda: len(agent.asked) > 5)
        agent.tasks.append(listed("new", 5, WORKING))
        await looking.until(agent, lambda: looking.found == ["new"])


async def test_what_ended_while_the_agent_was_away_is_found() -> None:
    """Stamps of other tasks' streams have gone on meanwhile, and must not hide it."""
    agent = Agent(listed("first", 5))
    async with feed_with() as feed:
        looking = Looking(feed)
        await looking.until(agent, lambda: looking.found == ["first"])
        agent.tasks.append(listed("missed", 20))
        await tell(feed, listed("streamed", 50, WORKING))
        await looking.until(agent, lambda: "missed" in looking.found)


async def test_what_ended_unseen_before_the_host_ended_is_found_after_it() -> None:
    """The only task that was told before has a later stamp than it."""
    agent = Agent(listed("missed", 20), listed("told", 40))
    async with feed_with(listed("told", 40)) as feed:
        looking = Looking(feed)
        await looking.until(agent, lambda: looking.found == ["missed"])


async def test_what_was_found_and_not_told_is_found_again() -> None:
    """Its follower may have been cut off before it wrote a line."""
    agent = Agent(listed("cut-off", 5))
    async with feed_with() as feed:
        looking = Looking(feed)
        await looking.until(agent, lambda: looking.found == ["cut-off"])
        looking.found.clear()
        await looking.until(agent, lambda: looking.found == ["cut-off"])


async def test_what_was_told_is_not_followed_again_though_the_board_forgot_it() -> None:
    agent = Agent(listed("told", 5))
    async with feed_with(listed("told", 5)) as feed:
        feed.board.finished.clear()
        looking = Looking(feed)
        await looking.until(agent, lambda: len(agent.asked) > 20)
    assert looking.found == []


async def test_at_the_first_contact_the_latest_will_do_and_whatever_is_open() -> None:
    old = [listed(f"old{n}", n) for n in range(60, 600)]
    agent = Agent(*old, listed("waiting", 1, WORKING))
    async with feed_with() as feed:
        looking = Looking(feed)
        await looking.until(agent, lambda: len(agent.asked) > 50)
    assert set(looking.found) == {f"old{n}" for n in range(550, 600)} | {"waiting"}


async def test_a_clock_that_was_set_back_hides_nothing_for_long() -> None:
    agent = Agent(listed("tomorrow", 3_000))
    async with feed_with() as feed:
        looking = Looking(feed)
        await looking.until(agent, lambda: bool(looking.found))
        agent.tasks += [listed("now", 5), listed("open", 6, WORKING)]
        await looking.until(agent, lambda: len(looking.found) == 3)


async def test_tasks_without_a_stamp_are_found_too() -> None:
    agent = Agent(listed("done", None), listed("open", None, WORKING))
    async with feed_with() as feed:
        looking = Looking(feed)
        await looking.until(agent, lambda: len(looking.found) == 2)


async def test_an_idle_agent_is_asked_only_for_what_is_new() -> None:
    agent = Agent(*(listed(f"old{n}", n) for n in range(600)))
    async with feed_with() as feed:
        looking = Looking(feed)
        await looking.until(agent, lambda: len(agent.asked) > 30)
    polls = [query for query in agent.asked[10:] if query.since]
    assert polls
    assert all(query.since == format_timestamp(597) for query in polls)
    assert all(not query.page_token for query in polls)


async def test_an_agent_that_knows_no_filter_is_not_read_whole_each_time() -> None:
    agent = Agent(*(listed(f"old{n}", n) for n in range(600)))
    agent.knows_filters = False
    async with feed_with() as feed:
        looking = Looking(feed)
        await looking.until(agent, lambda: len(agent.asked) > 100)
    assert max(int(query.page_token or 0) for query in agent.asked) <= 100


async def test_a_list_without_end_is_a_bad_answer() -> None:
    agent = Agent(listed("one", 5), listed("open", 6, WORKING))
    agent.endless = True
    async with feed_with() as feed:
        looking = Looking(feed)
        with pytest.raises(AgentUnreachable, match="on every page"):
            await looking.to_the_end(agent)


async def test_an_agent_that_refuses_is_gone_at_once() -> None:
    agent = Agent()
    async with feed_with() as feed:
        looking = Looking(feed)
        await looking.until(agent, lambda: len(agent.asked) > 5)
        agent.gone = True
        with pytest.raises(AgentUnreachable, match="refused"):
            await looking.to_the_end(agent)
