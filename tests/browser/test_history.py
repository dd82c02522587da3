"""The history in a real Chromium: search, pages, jump, export."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from playwright.async_api import expect

from tests.browser.screen import Screen
from tests.browser.test_fit import AXE, SCHEMES, axe
from tests.support import long_history
from tests.support.stack import Stack

if TYPE_CHECKING:
    from playwright.async_api import Page

EVENTS = long_history.MANY * 5
# Elements of the whole page, for any length of the log.
FEW_ELEMENTS = 2_500


class History:
    """What a user sees and does there."""

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

    async def to_the_end(self) -> None:
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
    many = 4 * len(range(0, long_history.MANY, long_history.RAIN))
    await expect(page).to_have_url(re.compile("q=rain"))
    await expect(history.rows.first).to_contain_text("Rain at seven")
    await history.to_the_end()
    await expect(history.foot).to_have_text(f"{many} events in total.")
    await Screen(page).save_screenshot("history-search")
    await page.reload()
    await expect(history.text).to_have_value("rain at SEVEN")
    await expect(history.rows.first).to_contain_text("Rain at seven")
    await history.text.fill("nobody ever said this")
    await history.text.press("Enter")
    await expect(history.foot).to_have_text("No event matches.")


async def test_slash_opens_the_search_and_t_the_timeline(
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
    whole = await (await page.request.get(f"{long_stack.url}/feed/1")).text()
    start = json.loads(whole)["event"]["received_at"]
    at = datetime.fromisoformat(start.replace("Z", "+00:00")) + timedelta(minutes=30)
    local = f"{at.astimezone():%Y-%m-%dT%H:%M:%S}"
    await page.get_by_label("To", exact=True).fill(local)
    await page.get_by_role("button", name="Search", exact=True).click()
    await expect(page).to_have_url(re.compile("status=error.*until="))
    await expect(history.rows.first).not_to_contain_text(f"Step of {failed[-1]}")
    await history.to_the_end()
    early = [n for n in failed if n * long_history.APART_S < 1_800]
    found = int((await history.foot.inner_text()).split()[0])
    assert abs(found - len(early)) < 10


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
    assert most < FEW_ELEMENTS


async def test_the_user_can_jump_to_an_id_and_to_a_time(
    page: Page, long_stack: Stack
) -> None:
    history = await History(page).open(long_stack)
    await history.jump("20000")
    marked = history.list.locator(".row[data-marked]")
    await expect(marked).to_have_attribute("data-id", "20000")
    await expect(history.rows.first).to_have_attribute("data-id", "20000")
    answer = await page.request.get(f"{long_stack.url}/feed/12345")
    when = (await answer.json())["event"]["received_at"]
    await history.jump(when)
    first = history.rows.first
    await expect(first).not_to_have_attribute("data-id", "20000")
    title = await first.locator(".time").get_attribute("title")
    assert title
    assert title <= when
    assert int(await first.get_attribute("data-id") or 0) >= 12_345
    await history.list.get_by_role("button", name="newer").click()
    await expect(history.rows.nth(3)).not_to_have_attribute("data-id", "20000")
    await history.jump("soon")
    await expect(page.locator(".notice")).to_contain_text("neither an id")


async def test_the_export_equals_the_results(
    page: Page, long_stack: Stack, tmp_path: Path
) -> None:
    history = await History(page).open(long_stack, "&q=rain&status=running&agent=carly")
    await history.to_the_end()
    found = int((await history.foot.inner_text()).split()[0].replace(",", ""))
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Export").click()
    file = tmp_path / "found.ndjson"
    await (await download.value).save_as(file)
    events = read(file)
    assert len(events) == found > 0
    expected = {n for n in range(0, long_history.MANY, long_history.RAIN) if n % 4 == 0}
    assert {event["task_id"] for event in events} == {f"past-{n:05d}" for n in expected}
    assert {event["status"] for event in events} == {"running"}


def read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.skipif(not AXE.exists(), reason="needs axe-core: run npm ci")
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_axe_finds_nothing_in_the_history_and_it_fits_360_pixels(
    page: Page, long_stack: Stack, scheme: Literal["light", "dark"]
) -> None:
    await page.emulate_media(color_scheme=scheme)
    history = await History(page).open(long_stack)
    await history.jump("300")
    await expect(history.rows.first).to_have_attribute("data-id", "300")
    await Screen(page).save_screenshot(f"history-{scheme}")
    assert await axe(page) == []
    await page.set_viewport_size({"width": 360, "height": 780})
    await history.list.scroll_into_view_if_needed()
    await Screen(page).save_screenshot(f"history-narrow-{scheme}")
    assert await page.evaluate("document.documentElement.scrollWidth") == 360
