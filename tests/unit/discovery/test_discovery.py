"""Tests which tasks discovery finds, with a scripted agent."""

from __future__ import annotations

import time

import pytest

from host.discovery import discovery, listed_tasks
from host.errors import AgentUnreachable
from tests.support.scripted_list import (
    WORKING,
    Agent,
    Search,
    feed_with,
    format_timestamp,
    listed,
    write,
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "OPEN_TASKS_S", 0.01)


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
        search = Search(feed, writes=False)
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
        await search.until(agent, lambda: len(agent.queries) > 40)
    polls = [query for query in agent.queries[20:] if query.since]
    assert polls
    assert all(query.since == format_timestamp(597) for query in polls)
    assert all(not query.page_token for query in polls)


async def test_agent_without_filters_is_read_further_once() -> None:
    """Its open tasks are somewhere among the finished ones."""
    tasks = [listed(f"old{n}", n) for n in range(900)]
    agent = Agent(*tasks, listed("open", 600, WORKING))
    agent.has_filters = False
    async with feed_with() as feed:
        search = Search(feed)
        await search.until(agent, lambda: len(agent.queries) > 100)
    assert "open" in search.found
    tokens = [query.page_token for query in agent.queries if query.page_token]
    assert sorted(map(int, tokens)) == list(range(50, 901, 50))


async def test_sweep_goes_on_in_the_next_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each connection ends after some pages. Only the sweep shows the task."""
    monkeypatch.setattr(discovery, "OPEN_TASKS_S", 1_000)
    monkeypatch.setattr(discovery, "PAGES_PER_S", 10_000)
    agent = Agent(listed("first", 5))
    async with feed_with() as feed:
        search = Search(feed)
        await search.until(agent, lambda: search.found == ["first"])
        agent.tasks += [listed(f"t{n}", n) for n in range(1_000, 1_900)]
        await search.until(agent, lambda: len(search.found) == 901)
        await search.until(agent, lambda: len(agent.queries) > 100)
        agent.tasks.append(listed("set-back", 500))
        monkeypatch.setattr(discovery, "ALL_TASKS_S", 0.01)
        for _ in range(20):
            agent.lost_at = len(agent.queries) + 12
            with pytest.raises(AgentUnreachable):
                await search.run(agent)
    assert "set-back" in search.found


async def test_first_search_without_filters_reads_a_limited_number_of_pages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(discovery, "MAX_UNFILTERED_PAGES", 3)
    finished = [listed(f"old{n}", n) for n in range(20, 170)]
    agent = Agent(*finished, listed("in", 19, WORKING), listed("out", 18, WORKING))
    agent.tasks.sort(key=lambda task: task.timestamp or "")
    agent.has_filters = False
    async with feed_with() as feed:
        search = Search(feed)
        del agent.tasks[2]
        await search.until(agent, lambda: len(agent.queries) > 50)
        assert "in" in search.found
        assert "out" not in search.found
        monkeypatch.setattr(discovery, "ALL_TASKS_S", 0.01)
        await search.until(agent, lambda: "out" in search.found)


async def test_many_new_tasks_are_followed_at_a_limited_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only those of the first page are followed at once."""
    page, burst, per_s = 50, 10, 40
    monkeypatch.setattr(listed_tasks, "START_BURST", burst)
    monkeypatch.setattr(listed_tasks, "STARTS_PER_S", per_s)
    agent = Agent(*[listed(f"t{n}", n, WORKING) for n in range(120)])
    async with feed_with() as feed:
        began_at = time.monotonic()
        search = Search(feed)
        await search.until(agent, lambda: len(search.found) == 120)
        seconds = time.monotonic() - began_at
    assert len(search.found) <= page + burst + per_s * seconds
