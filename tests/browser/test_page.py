"""The page in normal operation, in a real Chromium."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.browser.screen import Screen
from tests.support.a2a_client import agent_at
from tests.support.stack import Stack

if TYPE_CHECKING:
    from playwright.async_api import Page

NAMES = ("carly", "walter", "logan", "nancy")
# Runs in the page, because polling from here could miss a step on a busy machine.
RECORD_STEPS = """card => {
  window.steps = [];
  new MutationObserver(() => {
    const value = card.querySelector('.task progress')?.getAttribute('value');
    const step = `${value} ${card.querySelector('.task .says')?.textContent.trim()}`;
    if (steps.at(-1) !== step) steps.push(step);
  }).observe(card, { subtree: true, childList: true, characterData: true,
    attributes: true });
}"""


@pytest.fixture(scope="module")
def static() -> None:
    """Serve the plain modules of a clone."""


async def test_the_page_shows_four_connected_agents(screen: Screen) -> None:
    await expect(screen.page.get_by_role("heading", level=1)).to_have_text("Courtside")
    await expect(screen.page.locator(".totals")).to_contain_text("5/5 agents")
    for name in NAMES:
        await expect(screen.card(name).title).to_have_text(name.capitalize())
        await expect(screen.card(name).connection).to_have_text("connected")


async def test_the_page_without_events_says_what_to_do(
    new_stack: Stack, page: Page
) -> None:
    screen = await Screen(page).open(new_stack.url)
    empty = page.locator(".empty")
    await expect(empty).to_contain_text("No events yet")
    await expect(empty).to_contain_text(f"curl {new_stack.url}/a2a/carly/message:send")
    await screen.save_screenshot("empty")
    await empty.get_by_role("button", name="Carly").click()
    await expect(empty).to_be_hidden()
    await screen.card("carly").expect_status("completed")


async def test_a_skill_started_from_the_page_runs_to_its_result(screen: Screen) -> None:
    carly = screen.card("carly")
    await carly.root.evaluate(RECORD_STEPS)
    await carly.start_skill("calendar_check")
    await expect(carly.menu).to_be_hidden()
    await carly.expect_status("running")
    await screen.save_screenshot("running")
    await carly.expect_status("completed")
    steps = await screen.page.evaluate("steps")
    assert steps[-4:-1] == [
        "25 Checking personal calendar...",
        "50 Querying team calendars...",
        "75 Finding optimal time slots...",
    ]
    await expect(carly.says).to_have_text("Found 3 available slots for tomorrow!")
    newest = screen.rows.first
    await expect(newest).to_contain_text("Carly")
    await expect(newest).to_contain_text("Found 3 available slots for tomorrow!")


@pytest.mark.parametrize("tab", ["feed", "tasks"])
async def test_a_wrong_browser_clock_does_not_change_the_times(
    page: Page, stack: Stack, tab: str
) -> None:
    script = "Date.now = (now => () => now() + 3_600_000)(Date.now)"
    await page.add_init_script(script)
    screen = await Screen(page).open(stack.url, f"/?tab={tab}")
    carly = screen.card("carly")
    await carly.start_skill("calendar_check")
    await expect(carly.root.locator(".task .when")).to_have_text(re.compile(r"^0:0\d$"))


async def test_free_text_starts_a_task(screen: Screen) -> None:
    walter = screen.card("walter")
    await walter.start_words("Is it dry enough for tennis tomorrow?")
    await walter.expect_status("running")
    await walter.expect_status("completed")


async def test_stop_cancels_the_task_at_the_agent(screen: Screen, stack: Stack) -> None:
    logan = screen.card("logan")
    await logan.start_skill("venue_search")
    await logan.expect_status("running")
    await logan.stop_button.click()
    await logan.expect_status("cancelled")
    await expect(logan.says).to_have_text("Task cancelled by user request")
    await expect(logan.stop_button).to_be_hidden()
    async with agent_at(stack.agent_url("logan")) as agent:
        states = [task["status"]["state"] for task in await agent.tasks()]
    assert states == ["TASK_STATE_CANCELED"]


async def test_the_page_shows_stopping_until_the_agent_has_stopped(
    screen: Screen, stack: Stack
) -> None:
    walter = screen.card("walter")
    await walter.start_skill("weather_forecast")
    await walter.expect_status("running")
    stack.agents["walter"].pause()
    await walter.stop_button.click()
    await expect(walter.stop_button).to_have_text("Stopping…")
    await expect(walter.stop_button).to_be_disabled()
    await screen.save_screenshot("stopping")
    stack.agents["walter"].resume()
    await walter.expect_status("cancelled")
    await expect(walter.stop_button).to_be_hidden()


@pytest.mark.console_errors(r"400 \(Bad Request\)")
async def test_a_refused_stop_shows_the_error_at_the_button(screen: Screen) -> None:
    reason = "logan cannot stop a task: wait for its end"
    await screen.page.route(
        "**/tasks/*:cancel",
        lambda route: route.fulfill(status=400, json={"error": {"message": reason}}),
    )
    logan = screen.card("logan")
    await logan.start_skill("venue_search")
    await logan.expect_status("running")
    await logan.stop_button.click()
    await expect(logan.error).to_contain_text(reason)
    await logan.expect_status("completed")


async def test_a_question_is_answered_in_place(screen: Screen) -> None:
    nancy = screen.card("nancy")
    await nancy.start_skill("invite_everyone")
    await nancy.expect_status("needs input")
    await expect(screen.needs).to_contain_text("Send 4 invitations?")
    await expect(screen.page).to_have_title("(1) Courtside")
    await nancy.reply_button.click()
    answer = screen.needs.get_by_role("textbox")
    await expect(answer).to_be_focused()
    await answer.fill("Send")
    await screen.save_screenshot("needs-you")
    await answer.press("Enter")
    await expect(screen.needs).to_be_hidden()
    await nancy.expect_status("completed")
    await expect(nancy.says).to_contain_text("Sent 4 invitations")


async def test_a_task_started_with_curl_at_the_agent_appears(
    screen: Screen, stack: Stack
) -> None:
    await expect(screen.card("walter").stop_button).to_be_hidden()
    async with agent_at(stack.agent_url("walter")) as agent:
        await agent.start("Rain tomorrow?")
    await screen.card("walter").expect_status("running")
    await screen.card("walter").expect_status("completed")


async def test_a_card_lists_all_running_tasks_of_its_agent(screen: Screen) -> None:
    carly = screen.card("carly")
    await carly.start_skill("complex_analysis")
    await carly.expect_status("running")
    await carly.start_skill("availability")
    newer = re.compile("availability|Robin|calendars|Everyone")
    await expect(carly.says).to_have_text(newer)
    others = carly.root.locator("button.others")
    await expect(others).to_have_text("+1")
    await others.click()
    await screen.save_screenshot("tasks")
    await carly.root.locator(".menu.tasks .choice").nth(1).click()
    older = re.compile("analysis|Processing|Weighing|Ranking|Tuesdays")
    await expect(carly.says).to_have_text(older)


async def test_chips_filter_the_feed_and_change_the_url(
    screen: Screen, stack: Stack
) -> None:
    await screen.card("logan").start_skill("venue_search")
    await screen.card("logan").expect_status("completed")
    await screen.filter_chip("Logan").click()
    await expect(screen.page).to_have_url(f"{stack.url}/?agent=logan")
    agents = screen.page.locator(".row .agent")
    assert {text.strip() for text in await agents.all_inner_texts()} == {"Logan"}

    await screen.rows.first.click()
    await screen.drawer.get_by_role("button", name="Filter to this task").click()
    await expect(screen.page).to_have_url(re.compile("task=logan"))
    await screen.page.keyboard.press("Escape")
    await screen.page.reload()
    await expect(screen.page.locator(".chips")).to_contain_text("task")
    for _ in range(3):
        await screen.page.go_back()
    await expect(screen.page).to_have_url(f"{stack.url}/?agent=logan")
    await expect(screen.page.locator(".chips")).not_to_contain_text("task")


async def test_rows_stay_in_place_while_new_events_arrive(screen: Screen) -> None:
    walter = screen.card("walter")
    await screen.list.hover()
    await screen.page.mouse.wheel(0, 64)
    pill = screen.page.locator(".pill")
    await expect(pill).to_be_visible()
    before = await screen.ids()
    await walter.start_skill("weather_forecast")
    await walter.expect_status("completed")
    await expect(pill).to_contain_text("new event")
    assert await screen.ids() == before
    await pill.click()
    await expect(pill).to_be_hidden()
    await expect(screen.rows.first).to_contain_text("completed")


async def test_agent_text_with_markup_stays_text(screen: Screen) -> None:
    nancy = screen.card("nancy")
    markup = "Send <img src=x onerror=alert(1)><script>alert(1)</script> news"
    await nancy.start_words(markup)
    await nancy.expect_status("completed")
    artifact = screen.page.locator('.row[data-kind="artifact"] .text').first
    await expect(artifact).to_contain_text("<img src=x onerror=alert(1)><script>")
    assert await screen.page.locator(".list img, .list script").count() == 0


@pytest.mark.console_errors(r"502 \(Bad Gateway\)")
async def test_a_refused_start_shows_the_error_at_the_button(screen: Screen) -> None:
    reason = "carly does not answer at http://127.0.0.1:8001: start it again"
    await screen.page.route(
        "**/message:send",
        lambda route: route.fulfill(status=502, json={"error": {"message": reason}}),
    )
    carly = screen.card("carly")
    await carly.ask("Anything")
    await expect(carly.menu.get_by_role("alert")).to_contain_text(reason)
    await expect(carly.menu.get_by_role("textbox")).to_have_value("Anything")
    await screen.save_screenshot("refused")
