"""Accessibility of the page: axe, keyboard, narrow windows, no JavaScript."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.async_api import expect

from tests.browser.accessibility import (
    Scheme,
    each_scheme,
    find_violations,
    measure_width,
    needs_axe,
)
from tests.browser.screen import Screen
from tests.support.stack import Stack

if TYPE_CHECKING:
    from playwright.async_api import Browser, Locator, Page


@needs_axe
@each_scheme
async def test_axe_finds_no_violations(screen: Screen, scheme: Scheme) -> None:
    await screen.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    nancy, carly = screen.card("nancy"), screen.card("carly")
    await nancy.start_skill("invite_everyone")
    await carly.start_skill("calendar_check")
    await nancy.expect_status("needs input")
    await screen.save_screenshot(f"busy-{scheme}")
    assert await find_violations(screen.page) == []
    await carly.start_button.click()
    await expect(carly.menu).to_be_visible()
    await screen.save_screenshot(f"menu-{scheme}")
    assert await find_violations(screen.page) == []
    await screen.page.keyboard.press("Escape")
    await nancy.stop_button.click()
    await nancy.expect_status("cancelled")


@needs_axe
@each_scheme
async def test_axe_finds_no_violations_with_a_failed_task_and_a_lost_agent(
    page: Page, odd_stack: Stack, scheme: Scheme
) -> None:
    await page.emulate_media(color_scheme=scheme)
    screen = await Screen(page).open(odd_stack.url)
    await screen.card("scenario").start_skill("failing")
    await screen.card("scenario").expect_status("failed")
    odd_stack.agents["carly"].kill()
    await expect(screen.card("carly").connection).to_have_text("lost")
    assert await find_violations(page) == []
    odd_stack.agents["carly"].restart()
    await expect(screen.card("carly").connection).to_have_text("connected")


@each_scheme
async def test_the_page_fits_360_pixels(screen: Screen, scheme: Scheme) -> None:
    page = screen.page
    await page.emulate_media(color_scheme=scheme)
    await page.set_viewport_size({"width": 360, "height": 780})
    carly = screen.card("carly")
    await carly.start_skill("calendar_check")
    await carly.expect_status("running")
    await screen.save_screenshot(f"narrow-{scheme}")
    assert await measure_width(page) == 360
    await carly.stop_button.click()
    await carly.expect_status("cancelled")


async def test_a_task_is_started_and_answered_by_keyboard(screen: Screen) -> None:
    nancy, keyboard = screen.card("nancy"), screen.page.keyboard

    async def tab_to(target: Locator) -> None:
        while not await target.evaluate("node => node === document.activeElement"):
            await keyboard.press("Tab")

    await tab_to(nancy.start_button)
    await keyboard.press("Enter")
    await expect(nancy.menu).to_be_visible()
    await tab_to(nancy.menu.locator('[data-skill="invite_everyone"] button'))
    await keyboard.press("Enter")
    await nancy.expect_status("needs input")
    await tab_to(nancy.reply_button)
    await keyboard.press("Enter")
    await keyboard.type("Don't send")
    await keyboard.press("Enter")
    await nancy.expect_status("completed")
    await expect(nancy.says).to_have_text("Nothing was sent.")


async def test_the_board_shows_agents_and_tasks_without_javascript(
    browser: Browser, stack: Stack, screen: Screen
) -> None:
    await screen.card("nancy").start_skill("invite_everyone")
    await screen.card("nancy").expect_status("needs input")
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(stack.url)
    await expect(page).to_have_url(f"{stack.url}/board")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Courtside")
    agents, tasks = await page.get_by_role("table").all()
    for name in stack.agents:
        row = agents.get_by_role("row", name=name.capitalize())
        await expect(row).to_contain_text("connected")
    first = tasks.get_by_role("row").nth(1)
    await expect(first).to_contain_text("needs input")
    await expect(first).to_contain_text("Send 4 invitations?")
    await Screen(page).save_screenshot("board")
    await page.set_viewport_size({"width": 360, "height": 780})
    await Screen(page).save_screenshot("board-narrow")
    await screen.card("nancy").stop_button.click()
    await screen.card("nancy").expect_status("cancelled")
    await page.get_by_role("link", name="reload it").click()
    await expect(tasks).to_contain_text("cancelled")
    await context.close()


@needs_axe
@each_scheme
async def test_axe_finds_no_violations_on_the_board(
    page: Page, stack: Stack, scheme: Scheme
) -> None:
    await page.emulate_media(color_scheme=scheme)
    await page.goto(f"{stack.url}/board")
    assert await find_violations(page) == []
