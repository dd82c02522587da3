"""Tests that a failure of ListTasks loses only discovery, with a scripted agent."""

from __future__ import annotations

import time
from functools import partial

import pytest

from host.clients.task_list import ListTasksFailed
from host.discovery import discovery, listing
from host.discovery.list_walk import PAGE_BURST, PAGES_PER_S, ListWalk
from host.errors import AgentUnreachable
from tests.support.scripted_list import WORKING, Agent, Search, feed_with, listed


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "CARD_POLL_S", 0.001)
    monkeypatch.setattr(listing, "RETRY_S", (0.01, 0.02))


async def test_failure_is_reported_and_discovery_returns_when_it_is_over() -> None:
    agent = Agent(listed("open", 5, WORKING))
    agent.failing = ListTasksFailed("the store is down")
    async with feed_with() as feed:
        search = Search(feed)
        await search.until(agent, lambda: search.reports[-1:] == ["the store is down"])
        agent.failing = None
        await search.until(agent, lambda: search.found == ["open"])
        await search.until(agent, lambda: search.reports[-1] is None)


async def test_one_failure_among_successes_is_not_reported() -> None:
    agent = Agent()
    async with feed_with() as feed:
        search = Search(feed)
        await search.until(agent, lambda: len(agent.queries) > 10)
        agent.fail_next = 2
        await search.until(agent, lambda: agent.fail_next == 0)
        await search.until(agent, lambda: len(agent.queries) > 20)
    assert set(search.reports) == {None}


async def test_failing_list_is_called_ever_less_while_the_card_is_read() -> None:
    agent = Agent()
    agent.failing = ListTasksFailed("forbidden")
    begun = time.monotonic()
    async with feed_with() as feed:
        await Search(feed).until(agent, lambda: agent.card_reads > 100)
    late = len(agent.queries) - listing.MAX_QUICK_FAILURES - 2
    assert late * listing.RETRY_S[-1] <= time.monotonic() - begun


async def test_agent_whose_card_fails_as_well_is_lost() -> None:
    agent = Agent()
    agent.failing = ListTasksFailed("HTTP 500")
    agent.card_failure = AgentUnreachable("HTTP 500")
    async with feed_with() as feed:
        with pytest.raises(AgentUnreachable, match="HTTP 500"):
            await Search(feed).run(agent)
    assert agent.card_reads == discovery.MAX_MISSES


async def test_agent_that_refuses_connections_is_lost_at_once() -> None:
    agent = Agent()
    async with feed_with() as feed:
        search = Search(feed)
        await search.until(agent, lambda: len(agent.queries) > 5)
        agent.is_lost = True
        with pytest.raises(AgentUnreachable, match="refused"):
            await search.run(agent)


async def test_silent_list_and_silent_card_lose_the_agent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listing, "CALL_S", 0.01)
    agent = Agent()
    agent.is_silent = True
    agent.card_failure = AgentUnreachable("timeout: no response in time")
    async with feed_with() as feed:
        with pytest.raises(AgentUnreachable, match="timeout"):
            await Search(feed).run(agent)


async def test_slow_list_of_an_agent_that_sends_its_card_is_awaited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listing, "CALL_S", 0.01)
    agent = Agent(listed("open", 5, WORKING))
    agent.is_silent = True
    async with feed_with() as feed:
        search = Search(feed)
        await search.until(agent, lambda: agent.card_reads > 3, lambda: agent.speak())
        await search.until(agent, lambda: search.found == ["open"])


async def test_repeated_pages_are_reported_and_the_rest_is_found() -> None:
    agent = Agent(listed("one", 5, WORKING))
    agent.is_endless = True
    async with feed_with() as feed:
        search = Search(feed)
        await search.until(agent, lambda: agent.list_trouble is not None)
        agent.tasks.append(listed("two", 9, WORKING))
        await search.until(agent, lambda: search.found == ["one", "two"])
    assert "repeats" in str(agent.list_trouble)


async def test_list_without_end_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "ListWalk", partial(ListWalk, max_pages=5))
    agent = Agent()
    agent.makes_up_tasks = True
    async with feed_with() as feed:
        search = Search(feed)
        await search.until(agent, lambda: agent.list_trouble is not None)
    assert "no end" in str(agent.list_trouble)


async def test_list_without_end_is_read_slowly() -> None:
    agent = Agent()
    agent.makes_up_tasks = True
    async with feed_with() as feed:
        search = Search(feed)
        began_at = time.monotonic()
        await search.until(agent, lambda: len(agent.queries) > 300)
        seconds = time.monotonic() - began_at
    pages = [query for query in agent.queries if query.page_token]
    assert len(pages) <= PAGE_BURST + PAGES_PER_S * seconds + 1


async def test_card_that_has_changed_ends_the_polling() -> None:
    agent = Agent()
    agent.failing = ListTasksFailed("forbidden")
    agent.has_new_card = True
    async with feed_with() as feed:
        await Search(feed).run(agent)
