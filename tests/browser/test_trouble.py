"""The page shows that an agent, the host or the log failed, in a real Chromium."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.browser.screen import Screen
from tests.support.full_disk import SmallFiles
from tests.support.stack import Stack
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from playwright.async_api import Page


async def test_a_killed_agent_is_lost_until_it_restarts(
    screen: Screen, stack: Stack
) -> None:
    logan = screen.card("logan")
    stack.agents["logan"].kill()
    await expect(logan.connection).to_have_text("lost")
    await expect(logan.cause).to_contain_text("refused")
    await expect(screen.page.locator(".totals")).to_contain_text("4/5 agents")
    await expect(screen.link).to_have_text("Live")
    await screen.save_screenshot("agent-lost")

    carly = screen.card("carly")
    await carly.start_skill("calendar_check")
    await carly.expect_status("running")
    await carly.expect_status("completed")

    stack.agents["logan"].restart()
    await expect(logan.connection).to_have_text("connected")
    await logan.start_skill("venue_search")
    await logan.expect_status("completed")


async def test_retry_now_makes_the_host_reconnect_at_once(
    screen: Screen, stack: Stack
) -> None:
    nancy = screen.card("nancy")
    stack.agents["nancy"].kill()
    await expect(nancy.root.locator(".next")).to_contain_text("retry")
    async with screen.page.expect_response("**/agents/nancy:retry") as response:
        await nancy.root.get_by_role("button", name="Retry now").click()
    assert (await response.value).status == 202
    stack.agents["nancy"].restart()
    await expect(nancy.connection).to_have_text("connected")


@pytest.mark.console_errors(r"net::ERR_")
async def test_the_page_shows_every_event_once_after_kill_9_of_the_host(
    screen: Screen, stack: Stack
) -> None:
    carly, walter = screen.card("carly"), screen.card("walter")
    await carly.start_skill("calendar_check")
    await carly.expect_status("running")
    await carly.expect_status("completed")
    stack.host.kill()
    await expect(screen.link).to_contain_text("Reconnecting")
    await expect(screen.link).to_contain_text("data from")
    await expect(carly.says).to_have_text("Found 3 available slots for tomorrow!")
    await screen.save_screenshot("reconnecting")

    stack.host.restart()
    await expect(screen.link).to_have_text("Live")
    stack.wait_connected(*stack.agents)
    await walter.start_skill("weather_forecast")
    await walter.expect_status("completed")

    async def rows_equal_log() -> bool:
        ids = await screen.ids()
        url = f"{stack.url}/feed.ndjson?limit={len(ids)}"
        log = await (await screen.page.request.get(url)).text()
        expected = [json.loads(line)["id"] for line in log.splitlines()]
        return ids == sorted(expected, reverse=True)

    await wait_until(rows_equal_log, "the page to show every event of the log once")


@pytest.mark.console_errors(r"net::ERR_")
async def test_a_replaced_log_is_announced_and_leaves_no_stale_rows(
    new_stack: Stack, page: Page
) -> None:
    screen = await Screen(page).open(new_stack.url)
    carly = screen.card("carly")
    await carly.start_skill("calendar_check")
    await carly.expect_status("completed")
    new_stack.host.kill()
    shutil.rmtree(new_stack.data_dir)
    new_stack.host.restart()
    await expect(page.locator(".notice")).to_contain_text("The feed was loaded again")
    await expect(carly.connection).to_have_text("connected")
    await screen.save_screenshot("log-replaced")
    ids = await screen.ids()
    assert ids == sorted(set(ids), reverse=True)
    assert ids[0] < 20


async def test_a_failing_log_is_shown_until_it_works_again(
    new_stack: Stack, page: Page
) -> None:
    screen = await Screen(page).open(new_stack.url)
    carly = screen.card("carly")
    disk = SmallFiles(lambda: new_stack.host.pid, 1024)
    disk.fill()
    await carly.ask("Find a slot for a game tomorrow")
    notice = page.locator("main > .notice")
    await expect(notice).to_contain_text("The host cannot write its log.")
    await expect(notice).to_contain_text("feed.db")
    await screen.save_screenshot("log-fails")

    disk.free()
    await expect(notice).to_have_count(0)
    await carly.expect_status("completed")


@pytest.mark.console_errors(r"net::ERR_")
async def test_retry_now_in_any_tab_does_not_wait_for_the_countdown(
    screen: Screen, stack: Stack
) -> None:
    other = await Screen(await screen.page.context.new_page()).open(stack.url)
    stack.host.kill()
    await expect(other.link).to_contain_text("4 attempts")
    await expect(screen.link).to_contain_text("4 attempts")
    stack.host.restart()
    await other.link.get_by_role("button", name="Retry now").click()
    for tab in (screen, other):
        await expect(tab.link).to_have_text("Live", timeout=2_000)


async def test_a_failed_task_shows_the_cause_and_can_be_found(
    page: Page, odd_stack: Stack
) -> None:
    screen = await Screen(page).open(odd_stack.url)
    scenario = screen.card("scenario")
    await scenario.start_skill("failing")
    await scenario.expect_status("failed")
    await expect(scenario.says).to_contain_text("Nobody lives at 1 Nowhere Lane")
    await screen.save_screenshot("failed")
    await page.get_by_role("button", name="1 failed").click()
    await expect(screen.rows).to_have_count(1)
    await expect(screen.rows.first).to_contain_text("Nobody lives at 1 Nowhere Lane")
