"""Signing in and out in a real browser, and the page of a read-only user."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.browser.conftest import READ_TOKEN, TOKEN
from tests.browser.screen import Screen
from tests.support.stack import Stack

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page


@pytest.mark.console_errors("status of 403")
async def test_the_page_contains_no_secret_after_sign_in(
    page: Page, locked_stack: Stack
) -> None:
    await page.goto(f"{locked_stack.url}/?agent=carly")
    await expect(page).to_have_url(re.compile(r"/login\?then="))
    await Screen(page).sign_in("wrong")
    await expect(page.get_by_role("alert")).to_contain_text("Wrong token")
    await Screen(page).sign_in(TOKEN)
    await expect(page).to_have_url(f"{locked_stack.url}/?agent=carly")
    await expect(page.locator("#bar .link")).to_have_text("Live")

    [cookie] = await page.context.cookies()
    secrets = (TOKEN, cookie["value"])
    seen = await page.evaluate(
        """async () => [
          document.documentElement.outerHTML, document.cookie, location.href,
          JSON.stringify({ ...localStorage, ...sessionStorage }),
          ...performance.getEntriesByType('resource').map((entry) => entry.name),
          await (await fetch('feed.ndjson?after=0')).text(),
        ].join('\\n')"""
    )
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert not [secret for secret in secrets if secret in seen]

    await page.get_by_role("button", name="Sign out").click()
    await expect(page).to_have_url(f"{locked_stack.url}/login")
    assert await page.context.cookies() == []


async def test_the_login_works_without_javascript(
    browser: Browser, locked_stack: Stack
) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{locked_stack.url}/board")
    await Screen(page).sign_in(READ_TOKEN)
    await expect(page.get_by_role("heading", name="1 agent")).to_be_visible()
    await page.goto(f"{locked_stack.url}/login")
    await page.get_by_role("button", name="Sign out").click()
    await page.goto(f"{locked_stack.url}/board")
    await expect(page).to_have_url(re.compile("/login"))
    await context.close()


@pytest.mark.console_errors("status of 403")
async def test_a_read_only_user_sees_no_controls_and_the_reason(
    page: Page, locked_stack: Stack
) -> None:
    await page.goto(locked_stack.url)
    await Screen(page).sign_in(READ_TOKEN)
    screen = Screen(page)
    await expect(screen.link).to_have_text("Live")

    await expect(page.get_by_text("Read only")).to_be_visible()
    for name in ("Start", "Stop", "Add agent", "Ask several", "Retry now"):
        await expect(page.get_by_role("button", name=name)).to_have_count(0)
    status = await page.evaluate(
        "async () => (await fetch('./agents:reload', { method: 'POST' })).status"
    )
    assert status == 403
    await screen.save_screenshot("read-only")


@pytest.mark.console_errors("status of 401", "net::ERR_")
async def test_an_ended_session_leads_to_the_login_and_back(
    page: Page, locked_stack: Stack
) -> None:
    await page.goto(f"{locked_stack.url}/?agent=carly")
    await Screen(page).sign_in(TOKEN)
    screen = Screen(page)
    await expect(screen.link).to_have_text("Live")

    await page.context.clear_cookies()
    locked_stack.host.restart()

    await expect(screen.link).to_contain_text("Your session has ended")
    await screen.link.get_by_role("link", name="Sign in").click()
    await Screen(page).sign_in(TOKEN)
    await expect(page).to_have_url(f"{locked_stack.url}/?agent=carly")
    await expect(screen.link).to_have_text("Live")
    locked_stack.wait_connected("carly")
