"""All tabs of a browser share one connection to the feed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.async_api import expect

from tests.browser.screen import Screen
from tests.support.a2a_client import agent_at
from tests.support.stack import Stack
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from playwright.async_api import Page

# Two more than the connections that a browser opens with HTTP/1.1.
TABS = 8
# Only the browser knows which tab has the lock.
IS_LEADER = """async () => {
    const { held } = await navigator.locks.query();
    const mine = await new Promise(found => navigator.locks.request(
        crypto.randomUUID(), async lock => found((await navigator.locks.query())
            .held.find(({ name }) => name === lock.name).clientId)));
    return held.some(({ name, clientId }) =>
        name.startsWith('courtside') && clientId === mine);
}"""


async def expect_readers(stack: Stack, count: int) -> None:
    """Wait until the host has this number of readers."""

    async def has_readers() -> bool:
        async with agent_at(stack.url) as host:
            figures = (await host.http.get("/metrics")).text
        return f"courtside_readers {count}.0" in figures.splitlines()

    await wait_until(has_readers, f"the host to have {count} readers")


async def find_leader(tabs: list[Screen]) -> Screen:
    found = [tab for tab in tabs if await tab.page.evaluate(IS_LEADER)]
    assert len(found) == 1
    return found[0]


async def run_a_task(stack: Stack, tabs: list[Screen]) -> None:
    """Start a task, and wait until every tab shows its end."""
    async with agent_at(stack.agent_url("walter")) as agent:
        task_id = await agent.start("Rain?")
    for tab in tabs:
        rows = tab.rows.filter(has=tab.page.locator(f'[title*="{task_id}"]'))
        await expect(rows.first).to_contain_text("completed")


async def test_eight_tabs_share_one_connection_and_elect_a_new_leader(
    page: Page, stack: Stack
) -> None:
    pages = [page, *[await page.context.new_page() for _ in range(TABS - 1)]]
    tabs = [await Screen(each).open(stack.url) for each in pages]
    await expect_readers(stack, 1)
    await run_a_task(stack, tabs)
    leader = await find_leader(tabs)
    tabs.remove(leader)
    await leader.page.close()
    await run_a_task(stack, tabs)
    await expect_readers(stack, 1)
    expected = await tabs[0].ids()
    assert expected == list(range(expected[0], expected[-1] - 1, -1))
    for tab in tabs:
        await expect(tab.link).to_have_text("Live")
        assert await tab.ids() == expected


async def test_without_locks_a_tab_has_its_own_connection(
    page: Page, stack: Stack
) -> None:
    await page.context.add_init_script("delete Navigator.prototype.locks")
    tabs = [
        await Screen(each).open(stack.url)
        for each in (page, await page.context.new_page())
    ]
    await expect_readers(stack, 2)
    await run_a_task(stack, tabs)
