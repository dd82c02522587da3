"""The Timeline tab in a real Chromium."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.browser.accessibility import Scheme, each_scheme, find_violations, needs_axe
from tests.browser.screen import Screen
from tests.support.stack import Stack

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

# The page may have this many elements, for any number of tasks.
MAX_ELEMENTS = 6_000


@pytest.fixture
async def lanes(screen: Screen) -> Locator:
    """The timeline of `stack`."""
    await screen.page.get_by_role("link", name="Timeline").click()
    await expect(screen.page).to_have_url(re.compile(r"\?tab=timeline$"))
    return screen.page.locator("#lanes")


def find_bars(lanes: Locator, agent: str) -> Locator:
    return lanes.locator(f'.lane[data-agent="{agent}"] .item')


async def count_elements(page: Page) -> int:
    count: int = await page.evaluate("document.querySelectorAll('*').length")
    return count


async def test_each_task_is_a_live_bar_in_the_lane_of_its_agent(
    screen: Screen, lanes: Locator, stack: Stack
) -> None:
    for name in stack.agents:
        await expect(lanes.locator(f'.lane[data-agent="{name}"]')).to_be_visible()
    await expect(find_bars(lanes, "carly")).to_have_count(0)
    await screen.card("carly").start_skill("calendar_check")
    bar = find_bars(lanes, "carly")
    await expect(bar).to_have_attribute("data-tone", "running")
    await expect(bar).to_have_attribute("data-tone", "completed")
    label = re.compile(
        r"^Carly, completed, from [\d:]+, took .+ s, \d updates, \w+, Found"
    )
    await expect(bar).to_have_attribute("aria-label", label)
    # One gradient has the colours of the statuses, the other the marks of updates.
    paint = await bar.evaluate("node => getComputedStyle(node).backgroundImage")
    assert paint.count("linear-gradient") == 2


async def test_a_bar_has_a_tip_and_a_click_opens_its_task(
    screen: Screen, lanes: Locator
) -> None:
    await screen.card("logan").start_skill("venue_search")
    bar = find_bars(lanes, "logan").first
    await expect(bar).to_have_attribute("data-tone", "completed")
    await screen.page.get_by_role("button", name="Follow").click()
    await bar.hover()
    tip = lanes.locator(".tip")
    await expect(tip.locator(".status")).to_have_text("completed")
    await expect(tip.locator(".status .icon")).to_be_visible()
    await screen.save_screenshot("timeline")
    await bar.click()
    await expect(screen.page).to_have_url(re.compile("show=logan"))


async def test_arrow_keys_move_along_and_across_the_lanes(
    screen: Screen, lanes: Locator
) -> None:
    for name in ("carly", "walter"):
        await screen.card(name).start_words("Anything")
        tone = "completed"
        await expect(find_bars(lanes, name).last).to_have_attribute("data-tone", tone)
    await screen.page.keyboard.press("Escape")
    await lanes.focus()
    press = screen.page.keyboard.press
    await press("0")
    await press("ArrowRight")
    focused = lanes.locator(".item:focus")
    await expect(focused).to_have_attribute("aria-label", re.compile("^Carly"))
    await press("ArrowDown")
    await expect(focused).to_have_attribute("aria-label", re.compile("^Walter"))
    await expect(lanes.locator(".tip .status")).to_be_visible()
    scale = screen.page.locator(".tools .scale")
    before = await scale.inner_text()
    await press("+")
    await expect(scale).not_to_have_text(before)
    await focused.press("Enter")
    await expect(screen.page).to_have_url(re.compile("show="))
    await press("Escape")
    await expect(focused).to_have_attribute("aria-label", re.compile("^Walter"))
    await press("End")
    follow = screen.page.get_by_role("button", name="Follow")
    await expect(follow).to_have_attribute("aria-pressed", "true")
    await expect(lanes).to_be_focused()


async def test_ten_thousand_tasks_need_few_elements_at_every_zoom(
    page: Page, long_stack: Stack
) -> None:
    screen = await Screen(page).open(long_stack.url, "/?tab=timeline")
    lanes = page.locator("#lanes")
    await expect(page.locator(".tools .loaded")).to_contain_text("tasks")
    most = await count_elements(page)
    # Zoom out until all tasks are visible. This loads the whole log.
    for _ in range(5):
        await page.get_by_role("button", name="Zoom out").click()
        most = max(most, await count_elements(page))
    loaded = page.locator(".tools .loaded")
    await expect(loaded).to_have_text("10,000 tasks", timeout=60_000)
    await page.get_by_role("button", name="Fit").click()
    await expect(lanes.locator('.item[data-kind="group"]').first).to_be_visible()
    follow = page.get_by_role("button", name="Follow")
    await expect(follow).to_have_attribute("aria-pressed", "false")
    await screen.save_screenshot("timeline-10000")
    for _ in range(14):
        await page.get_by_role("button", name="Zoom in").click()
        most = max(most, await count_elements(page))
    box = await lanes.bounding_box()
    assert box
    for _ in range(10):
        await page.mouse.move(box["x"] + 300, box["y"] + 60)
        await page.mouse.down()
        await page.mouse.move(box["x"] + 900, box["y"] + 60, steps=5)
        await page.mouse.up()
        most = max(most, await count_elements(page))
    assert most < MAX_ELEMENTS


async def test_the_wheel_zooms_and_a_drag_moves_the_timeline(
    screen: Screen, lanes: Locator
) -> None:
    scale = screen.page.locator(".tools .scale")
    follow = screen.page.get_by_role("button", name="Follow")
    before = await scale.inner_text()
    await lanes.hover()
    # Without Control, the wheel may scroll the lanes.
    await screen.page.keyboard.down("Control")
    await screen.page.mouse.wheel(0, -300)
    await screen.page.keyboard.up("Control")
    await expect(scale).not_to_have_text(before)
    await expect(follow).to_have_attribute("aria-pressed", "true")
    await screen.page.mouse.down()
    await screen.page.mouse.move(400, 600, steps=4)
    await screen.page.mouse.up()
    await expect(follow).to_have_attribute("aria-pressed", "false")


async def test_a_click_on_a_group_zooms_to_its_tasks(
    page: Page, long_stack: Stack
) -> None:
    await Screen(page).open(long_stack.url, "/?tab=timeline")
    loaded = page.locator(".tools .loaded")
    await expect(loaded).to_contain_text("loaded")
    await page.get_by_role("button", name="Fit").click()
    group = page.locator('.item[data-kind="group"]').first
    await expect(group).to_have_attribute("aria-label", re.compile(r"^\d+ tasks: "))
    await group.dispatch_event("click")
    await expect(page.locator('.item[data-kind="task"]').first).to_be_visible()


async def test_the_timeline_is_in_the_url_and_survives_a_reload(
    screen: Screen, lanes: Locator
) -> None:
    await screen.page.reload()
    await expect(lanes.locator(".lane").first).to_be_visible()
    await screen.page.go_back()
    await expect(screen.list).to_be_visible()
    await expect(lanes).to_be_hidden()


@needs_axe
@each_scheme
async def test_axe_finds_no_violations_on_the_timeline(
    screen: Screen, lanes: Locator, scheme: Scheme
) -> None:
    await screen.page.emulate_media(color_scheme=scheme)
    await screen.card("nancy").start_skill("invite_everyone")
    bar = find_bars(lanes, "nancy").last
    await expect(bar).to_have_attribute("data-tone", "input-required")
    for _ in range(3):
        await screen.page.get_by_role("button", name="Zoom in").click()
    await bar.hover()
    await expect(lanes.locator(".tip")).to_be_visible()
    await screen.save_screenshot(f"timeline-{scheme}")
    assert await find_violations(screen.page) == []
    await screen.page.set_viewport_size({"width": 360, "height": 780})
    await lanes.scroll_into_view_if_needed()
    await screen.save_screenshot(f"timeline-narrow-{scheme}")
    width = "document.documentElement.scrollWidth"
    assert await screen.page.evaluate(width) == 360
    await screen.card("nancy").stop_button.click()
    await screen.card("nancy").expect_status("cancelled")
