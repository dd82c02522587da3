"""The page shows that a task is stalled, for how long, and that it goes on.

Each test saves screenshots in build/artifacts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import ViewportSize, expect

from tests.browser.accessibility import HAS_AXE, Scheme, each_scheme, find_violations
from tests.browser.screen import Screen, find_overflow
from tests.browser.scripted_feed import (
    Event,
    ScriptedFeed,
    agent,
    format_timestamp,
    task,
    use_scripted_feed,
)

if TYPE_CHECKING:
    from playwright.async_api import Page

NARROW: ViewportSize = {"width": 360, "height": 780}
MESSAGE = "Querying the calendars of the whole team…"


@pytest.fixture
async def feed(page: Page) -> AsyncIterator[ScriptedFeed]:
    async with use_scripted_feed(page) as feed:
        yield feed


def notice(kind: str, message: str) -> Event:
    return {
        **{"kind": "notice", "agent": "carly", "task_id": "t1", "context_id": "c"},
        **{"notice": kind, "message": message, "received_at": format_timestamp()},
    }


def stall(quiet_s: float) -> list[Event]:
    """Return a task without news for `quiet_s`, and what the host writes about it."""
    since = format_timestamp(quiet_s)
    row = task("carly", "t1", message=MESSAGE, at=since, received_at=since)
    marked = {**row, "stalled_since": since, "received_at": format_timestamp()}
    return [row, notice("stalled", "no update for 5 min"), marked]


@each_scheme
async def test_a_stalled_task_says_so_everywhere_until_it_goes_on(
    page: Page, feed: ScriptedFeed, page_alone: str, scheme: Scheme
) -> None:
    await page.emulate_media(color_scheme=scheme)
    feed.send(agent("carly"), agent("walter"), *stall(7 * 60 + 5))
    feed.send(task("walter", "t2"))
    screen = await Screen(page).open(page_alone)
    status = screen.card("carly").root.locator(".task .status")
    await expect(status).to_have_text("stalled for 7 min")
    await expect(status).to_have_attribute("data-tone", "stalled")
    await expect(status.locator("svg")).to_be_visible()
    rows = page.locator("#list .row .what")
    words = ["running", "stalled", "stalled", "running", "connected", "connected"]
    await expect(rows).to_have_text(words)
    await expect(page.locator('.row[data-kind="notice"] .text')).to_have_text(
        "no update for 5 min"
    )
    await screen.save_screenshot(f"stalled-{scheme}")
    assert not HAS_AXE or await find_violations(page) == []
    await page.locator('.row[data-kind="notice"]').click()
    line = screen.drawer.locator("section[aria-label=Status] .status")
    await expect(line).to_have_text("stalled for 7 min")
    steps = screen.drawer.locator(".step > .status")
    await expect(steps).to_contain_text(["stalled", "running"])
    await screen.save_screenshot(f"stalled-drawer-{scheme}")
    feed.send(notice("resumed", "an update came after 7 min"))
    feed.send(task("carly", "t1", progress=80, message="Found 3 slots"))
    await expect(status).to_have_text("running")
    await expect(line).to_have_text("running")
    await expect(steps).to_contain_text(["running", "resumed", "stalled", "running"])
    await expect(rows.nth(1)).to_have_text("resumed")
    await screen.save_screenshot(f"resumed-{scheme}")


@each_scheme
async def test_the_table_and_a_narrow_page_show_stalled_tasks(
    page: Page, feed: ScriptedFeed, page_alone: str, scheme: Scheme
) -> None:
    await page.emulate_media(color_scheme=scheme)
    feed.send(agent("carly"), agent("walter"), *stall(3 * 3600 + 60))
    feed.send(task("walter", "t2"))
    screen = await Screen(page).open(page_alone)
    await page.get_by_role("link", name="Tasks").click()
    stalled = page.locator("#table .row .time", has_text="stalled for 3 h")
    await expect(stalled).to_have_count(1)
    await screen.save_screenshot(f"stalled-table-{scheme}")
    assert not HAS_AXE or await find_violations(page) == []
    await page.set_viewport_size(NARROW)
    await expect(stalled).to_be_visible()
    await screen.save_screenshot(f"stalled-table-narrow-{scheme}")
    assert await find_overflow(page) == []
    await page.get_by_role("link", name="Feed").click()
    await screen.save_screenshot(f"stalled-narrow-{scheme}")
    assert await find_overflow(page) == []


async def test_the_time_of_a_stalled_task_goes_on(
    page: Page, feed: ScriptedFeed, page_alone: str
) -> None:
    feed.send(agent("carly"), *stall(50))
    screen = await Screen(page).open(page_alone)
    status = screen.card("carly").root.locator(".task .status")
    await expect(status).to_contain_text("stalled for 5")
    await expect(status).to_have_text("stalled for 1 min", timeout=30_000)
