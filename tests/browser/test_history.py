"""The History tab in a real Chromium: search, paging, jumps and export."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.async_api import expect

from tests.browser.accessibility import (
    Scheme,
    each_scheme,
    find_violations,
    measure_width,
    needs_axe,
)
from tests.browser.screen import Screen
from tests.support import long_history
from tests.support.stack import Stack

if TYPE_CHECKING:
    from playwright.async_api import Page

EVENTS = long_history.MANY * 5
# The page may have this many elements, for any length of the log.
MAX_ELEMENTS = 2_500


class History:
    """The History tab, as a user sees it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.text = page.get_by_role("searchbox", name="Text")
        self.status = page.get_by_label("Status")
        self.list = page.locator("#results")
        self.rows = self.list.locator(".row")
        self.foot = self.list.locator(".foot").last
        self.jump_to = page.get_by_label("Jump to an id or a time")

    async def open(self, stack: Stack, query: str = "") -> History:
        await Screen(self.page).open(stack.url, f"/?tab=history{query}")
        await expect(self.rows.first).to_be_visible()
        return self

    async def scroll_to_end(self) -> None:
        """Scroll until there are no more results."""
        while "in total" not in await self.foot.inner_text():
            await self.list.evaluate("list => list.scrollTo(0, list.scrollHeight)")

    async def jump(self, text: str) -> None:
        await self.jump_to.fill(text)
        await self.jump_to.press("Enter")


async def test_the_whole_log_is_searched_by_text(page: Page, long_stack: Stack) -> None:
    history = await History(page).open(long_stack)
    await history.text.fill("rain at SEVEN")
    await history.text.press("Enter")
    expected = 4 * len(range(0, long_history.MANY, long_history.RAIN))
    await expect(page).to_have_url(re.compile("q=rain"))
    await expect(history.rows.first).to_contain_text("Rain at seven")
    await history.scroll_to_end()
    await expect(history.foot).to_have_text(
        re.compile(
            rf"^{expected} events in total\. The log uses [\d.]+ MB of 1073.7 MB\.$"
        )
    )
    await Screen(page).save_screenshot("history-search")
    await page.reload()
    await expect(history.text).to_have_value("rain at SEVEN")
    await expect(history.rows.first).to_contain_text("Rain at seven")
    await history.text.fill("no such text")
    await history.text.press("Enter")
    await expect(history.foot).to_contain_text("No event matches.")


async def test_slash_opens_the_search_and_t_opens_the_timeline(
    page: Page, long_stack: Stack
) -> None:
    await Screen(page).open(long_stack.url)
    await page.keyboard.press("/")
    search = page.get_by_role("searchbox", name="Text")
    await expect(search).to_be_focused()
    await page.keyboard.type("t/t")
    await expect(search).to_have_value("t/t")
    await page.get_by_role("link", name="Feed").focus()
    await page.keyboard.press("t")
    await expect(page.locator("#lanes")).to_be_visible()


async def test_status_agent_and_time_filter_the_results(
    page: Page, long_stack: Stack
) -> None:
    history = await History(page).open(long_stack)
    await history.status.select_option("error")
    await page.locator(".chips").get_by_role("button", name="Walter").click()
    failed = [n for n in range(0, long_history.MANY, 7) if n % 4 == 1]
    await expect(history.rows.first).to_contain_text(f"Step of {failed[-1]}")
    first_event = await (await page.request.get(f"{long_stack.url}/feed/1")).text()
    start = json.loads(first_event)["event"]["received_at"]
    at = datetime.fromisoformat(start.replace("Z", "+00:00")) + timedelta(minutes=30)
    local = f"{at.astimezone():%Y-%m-%dT%H:%M:%S}"
    await page.get_by_label("To", exact=True).fill(local)
    await page.get_by_role("button", name="Search", exact=True).click()
    await expect(page).to_have_url(re.compile("status=error.*until="))
    await expect(history.rows.first).not_to_contain_text(f"Step of {failed[-1]}")
    await history.scroll_to_end()
    expected = [n for n in failed if n * long_history.APART_S < 1_800]
    found = int((await history.foot.inner_text()).split()[0])
    assert abs(found - len(expected)) < 10


async def test_scrolling_loads_the_log_in_pages_and_draws_few_rows(
    page: Page, long_stack: Stack
) -> None:
    history = await History(page).open(long_stack)
    count = "document.querySelectorAll('*').length"
    scroll = "list => list.scrollTo(0, list.scrollHeight)"
    most = 0
    oldest = EVENTS
    for _ in range(8):
        await history.list.evaluate(scroll)
        last = history.rows.last
        await expect(last).not_to_have_attribute("data-id", str(oldest))
        oldest = int(await last.get_attribute("data-id") or 0)
        most = max(most, await page.evaluate(count))
    assert oldest < EVENTS - 1_000
    assert most < MAX_ELEMENTS


async def test_the_user_can_jump_to_an_id_and_to_a_time(
    page: Page, long_stack: Stack
) -> None:
    history = await History(page).open(long_stack)
    await history.jump("20000")
    marked = history.list.locator(".row[data-marked]")
    await expect(marked).to_have_attribute("data-id", "20000")
    await expect(history.rows.first).to_have_attribute("data-id", "20000")
    answer = await page.request.get(f"{long_stack.url}/feed/12345")
    moment = (await answer.json())["event"]["received_at"]
    await history.jump(moment)
    first = history.rows.first
    await expect(first).not_to_have_attribute("data-id", "20000")
    title = await first.locator(".time").get_attribute("title")
    assert title
    assert title <= moment
    assert int(await first.get_attribute("data-id") or 0) >= 12_345
    await history.list.get_by_role("button", name="newer").click()
    await expect(history.rows.nth(3)).not_to_have_attribute("data-id", "20000")
    await history.jump("soon")
    await expect(page.locator(".notice")).to_contain_text("neither an id")


async def test_the_export_contains_exactly_the_results(
    page: Page, long_stack: Stack, tmp_path: Path
) -> None:
    history = await History(page).open(long_stack, "&q=rain&status=running&agent=carly")
    await history.scroll_to_end()
    found = int((await history.foot.inner_text()).split()[0].replace(",", ""))
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Export").click()
    file = tmp_path / "found.ndjson"
    await (await download.value).save_as(file)
    events = read_events(file)
    assert len(events) == found > 0
    expected = {n for n in range(0, long_history.MANY, long_history.RAIN) if n % 4 == 0}
    assert {event["task_id"] for event in events} == {f"past-{n:05d}" for n in expected}
    assert {event["status"] for event in events} == {"running"}


def read_events(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@needs_axe
@each_scheme
async def test_the_history_has_no_axe_violations_and_fits_360_pixels(
    page: Page, long_stack: Stack, scheme: Scheme
) -> None:
    await page.emulate_media(color_scheme=scheme)
    history = await History(page).open(long_stack)
    await history.jump("300")
    await expect(history.rows.first).to_have_attribute("data-id", "300")
    await Screen(page).save_screenshot(f"history-{scheme}")
    assert await find_violations(page) == []
    await page.set_viewport_size({"width": 360, "height": 780})
    await history.list.scroll_into_view_if_needed()
    await Screen(page).save_screenshot(f"history-narrow-{scheme}")
    assert await measure_width(page) == 360
