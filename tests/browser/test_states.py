"""The page shows every state, and no agent text breaks it.

Each test saves a screenshot in build/artifacts.
"""

from __future__ import annotations

import re
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

WIDE: ViewportSize = {"width": 1280, "height": 800}
ZOOMED: ViewportSize = {"width": 640, "height": 400}
"""The window of WIDE at 200 % zoom."""
NARROW: ViewportSize = {"width": 360, "height": 780}
MAX_HELD = 50_000
"""The most rows that the page keeps while it is paused."""


@pytest.fixture
async def feed(page: Page) -> AsyncIterator[ScriptedFeed]:
    async with use_scripted_feed(page) as feed:
        yield feed


async def test_the_page_says_connecting_until_the_host_answers(
    page: Page, feed: ScriptedFeed, page_alone: str
) -> None:
    feed.is_up = False
    screen = Screen(page)
    await page.goto(page_alone)
    await expect(screen.link).to_have_text("Connecting…")
    await screen.save_screenshot("connecting")


async def test_a_stale_task_shows_the_age_of_its_last_update(
    page: Page, feed: ScriptedFeed, page_alone: str
) -> None:
    old = format_timestamp(95)
    feed.send(agent("carly"), task("carly", "t1", at=old, received_at=old))
    screen = await Screen(page).open(page_alone)
    when = screen.card("carly").root.locator("time")
    await expect(when).to_contain_text("last update 1 min ago")
    await expect(when).to_have_attribute("title", old)
    await screen.save_screenshot("stale")


async def test_nothing_moves_with_reduced_motion(
    page: Page, feed: ScriptedFeed, page_alone: str
) -> None:
    await page.emulate_media(reduced_motion="reduce")
    feed.send(agent("carly"), task("carly", "t1"), task("carly", "t2", progress=None))
    await Screen(page).open(page_alone)
    moving = """() => [...document.querySelectorAll('*')].map(getComputedStyle).filter(
        ({ transitionDuration, animationName }) =>
            transitionDuration !== '0s' || animationName !== 'none').length"""
    assert await page.evaluate(moving) == 0


async def test_a_gap_shows_where_updates_may_be_missing(
    page: Page, feed: ScriptedFeed, page_alone: str
) -> None:
    message = "carly was away: updates in between may be missing"
    gap: Event = {"kind": "gap", "agent": "carly", "task_id": "t1", "message": message}
    gap |= {"context_id": "c", "missing": 12, "received_at": format_timestamp()}
    feed.send(
        agent("carly"), task("carly", "t1"), gap, task("carly", "t1", progress=80)
    )
    screen = await Screen(page).open(page_alone)
    row = screen.page.locator('.row[data-kind="gap"]')
    await expect(row).to_contain_text(f"{message} · at most 12 updates")
    await screen.save_screenshot("gap")


async def test_skipped_events_load_with_one_click(
    page: Page, feed: ScriptedFeed, page_alone: str
) -> None:
    feed.send(agent("carly"))
    screen = await Screen(page).open(page_alone)
    await page.get_by_role("button", name="Pause").click()
    small = {"kind": "message", "agent": "carly", "received_at": format_timestamp()}
    feed.send(*[{**small, "message": str(number)} for number in range(MAX_HELD + 99)])
    pill = page.locator(".pill")
    await expect(pill).to_contain_text("100 skipped, load")
    await screen.save_screenshot("overflow")
    await pill.click()
    await expect(screen.rows.first).to_contain_text(str(MAX_HELD + 98))
    await expect(pill).to_be_hidden()


@pytest.mark.console_errors(r"net::ERR_")
async def test_a_reconnect_keeps_scroll_drawer_and_typed_text(
    page: Page, feed: ScriptedFeed, page_alone: str
) -> None:
    question = task("carly", "ask", "input-required", message="Which day?")
    steps = [task("carly", "t1", message=f"Step {n}") for n in range(100)]
    feed.send(agent("carly"), question, *steps)
    screen = await Screen(page).open(page_alone)
    await screen.list.evaluate("list => list.scrollTo(0, 640)")
    await expect(screen.rows.last).to_contain_text(re.compile("Step [4-7]"))
    await screen.rows.nth(9).locator(".id button").click()
    await expect(screen.steps.first).to_be_visible()
    answer = screen.needs.get_by_role("textbox")
    await answer.fill("On Fri")
    ids = await screen.ids()
    feed.cut()
    await expect(screen.link).to_contain_text("Reconnecting")
    feed.send(task("carly", "t1", message="Step on"))
    await expect(screen.link).to_have_text("Live")
    await expect(page.locator(".pill")).to_contain_text("1 new event")
    assert await screen.ids() == ids
    await expect(screen.steps.first).to_contain_text("on")
    await expect(answer).to_be_focused()
    await page.keyboard.type("day")
    await expect(answer).to_have_value("On Friday")


@each_scheme
async def test_more_than_eight_agents_are_rows_with_urgent_agents_first(
    page: Page, feed: ScriptedFeed, page_alone: str, scheme: Scheme
) -> None:
    await page.emulate_media(color_scheme=scheme)
    names = [f"agent{number}" for number in range(12)]
    lost = {"connection": "lost", "cause": "Connection refused"}
    feed.send(*[agent(name) for name in names], agent("agent7", **lost, retry_s=4.0))
    screen = await Screen(page).open(page_alone)
    titles = page.locator(".agents h2")
    await expect(titles).to_have_text(
        [name.capitalize() for name in ["agent7", *names[:7], *names[8:]]]
    )
    # Rows do not move while the pointer is on one.
    await page.locator(".card").nth(3).hover()
    feed.send(task("agent9", "t1"), task("agent5", "t2", "input-required"))
    await expect(screen.needs).to_be_visible()
    await expect(titles.first).to_have_text("Agent7")
    await page.mouse.move(0, 0)
    first = ["Agent5", "Agent7", "Agent9", "Agent0"]
    await expect(page.locator(".card:nth-child(-n + 4) h2")).to_have_text(first)
    await screen.save_screenshot(f"many-{scheme}")
    assert not HAS_AXE or await find_violations(page) == []
    await page.set_viewport_size(NARROW)
    await screen.save_screenshot(f"many-narrow-{scheme}")
    assert await find_overflow(page) == []


@each_scheme
async def test_the_task_table_can_hide_completed_tasks(
    page: Page, feed: ScriptedFeed, page_alone: str, scheme: Scheme
) -> None:
    await page.emulate_media(color_scheme=scheme)
    done: Event = {"progress": 100, "result": "Done."}
    feed.send(
        agent("carly"),
        agent("walter"),
        task("carly", "running"),
        task("carly", "a"),
        task("carly", "a", "completed", **done),
        task("walter", "b", "error", message="No."),
    )
    screen = await Screen(page).open(page_alone)
    await page.get_by_role("link", name="Tasks").click()
    states = page.locator("#table .row .what")
    await expect(states).to_have_text(["running", "failed", "completed"])
    await screen.save_screenshot(f"tasks-{scheme}")
    assert not HAS_AXE or await find_violations(page) == []
    await page.get_by_label("Hide completed").check()
    await expect(states).to_have_text(["running", "failed"])
    await expect(page).to_have_url(f"{page_alone}/?tab=tasks&pending")
    feed.send(task("carly", "running", "completed", **done))
    await expect(states).to_have_text(["failed"])
    await screen.rows.first.click()
    await expect(screen.drawer).to_be_visible()
    await page.keyboard.press("Escape")
    await page.set_viewport_size(NARROW)
    await screen.save_screenshot(f"tasks-narrow-{scheme}")
    assert await find_overflow(page) == []


MARKUP = "<img src=x onerror=alert(1)><script>alert(1)</script><style>*{display:none}"
HOSTILE = {
    "markup": MARKUP,
    "right-to-left": "\u202eright to left\u2066\u202e override",
    "one long word": "W" * 100_000,
    "lines": "line\n" * 20_000,
    "zero-width": "\u200b\u200d\ufeff" * 500 + "a" + "\u0301" * 500,
    "terminal": "\x1b[31mred\x1b[0m\x07\x1b]0;title\x07\r\b",
    "lit": "${alert(1)} {{constructor}} <!--?lit$1$-->",
}


@pytest.mark.parametrize("size", [WIDE, ZOOMED, NARROW], ids=["wide", "zoom", "narrow"])
async def test_agent_text_stays_text_and_does_not_move_the_page(
    page: Page, feed: ScriptedFeed, page_alone: str, size: ViewportSize
) -> None:
    await page.set_viewport_size(size)
    feed.send(agent("carly"), task("carly", "tidy", message="Tidy."))
    for name, text in HOSTILE.items():
        texts = {"title": text, "description": text, "cause": text, "trouble": text}
        feed.send(agent(f"{name} {text[:40]}", **texts))
        asking: Event = {"message": text, "choices": [text, text], "context_id": text}
        feed.send(task("carly", text[:900], "input-required", **asking))
        feed.send(task("carly", f"{text[:900]} 2", "error", message=text))
    screen = await Screen(page).open(page_alone)
    assert await find_overflow(page) == []
    # All rows have the same height, and their ids are in one column.
    places = """rows => rows.map(row => [
        row.offsetHeight, row.querySelector('.id').offsetLeft].join())"""
    tasks = page.locator('.row[data-kind="task"]')
    assert len(set(await tasks.evaluate_all(places))) == 1
    await screen.save_screenshot(f"hostile-{size['width']}")
    foreign = page.locator(
        "main :is(img, script, style, iframe, [onerror], a[href='x'])"
    )
    for tab in ("Tasks", "Timeline", "Feed"):
        await page.get_by_role("link", name=tab).click()
        await expect(foreign).to_have_count(0)
        assert await find_overflow(page) == []
    await page.locator(".needs button.details").first.click()
    await expect(screen.drawer.locator(".question")).to_be_visible()
    await expect(foreign).to_have_count(0)
    assert await find_overflow(page) == []
    await screen.save_screenshot(f"hostile-drawer-{size['width']}")
