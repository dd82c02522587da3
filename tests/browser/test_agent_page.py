"""An agent's own page works without a host."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.browser.accessibility import (
    Scheme,
    each_scheme,
    find_violations,
    measure_width,
    needs_axe,
)
from tests.browser.agent_screen import AgentPage
from tests.support import harness
from tests.support.a2a_client import agent_at
from tests.support.stack import Stack

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

# Long enough to press Cancel on a busy machine.
STEP_S = 0.5
MESSAGES = (
    "Starting calendar search...",
    "Checking personal calendar...",
    "Querying team calendars...",
    "Finding optimal time slots...",
)
FOUND = "Found 3 available slots for tomorrow!"
RECORD_IDS = """
window.eventIds = [];
window.EventSource = class extends EventSource {
    constructor(url) {
        super(url);
        this.addEventListener('message', (event) => eventIds.push(event.lastEventId));
    }
};
"""


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Carly and Nancy, and no host."""
    folder = tmp_path_factory.mktemp("agents")
    names = ("carly", "nancy")
    with Stack(folder, names, with_host=False, step_s=STEP_S) as running:
        yield running


@pytest.fixture
async def carly(page: Page, agents: Stack) -> AgentPage:
    return await AgentPage(page).open(agents.agent_url("carly"))


@pytest.fixture
async def nancy(page: Page, agents: Stack) -> AgentPage:
    return await AgentPage(page).open(agents.agent_url("nancy"))


async def test_scenario_1_a_calendar_check_finds_three_slots(
    carly: AgentPage,
) -> None:
    await expect(carly.page).to_have_title("Carly, an A2A agent")
    await expect(carly.page.get_by_role("heading", level=1)).to_have_text("Carly")
    await expect(carly.cancel).to_be_disabled()
    await carly.record_changes()
    await carly.start.click()
    await expect(carly.messages.nth(2)).to_be_visible()
    await carly.save_screenshot("running")
    await expect(carly.results).to_contain_text(FOUND)
    await expect(carly.status).to_have_text("completed")
    await expect(carly.bar).to_have_attribute("value", "100")
    await expect(carly.messages).to_have_text(MESSAGES)
    await expect(carly.cancel).to_be_disabled()
    await carly.save_screenshot("completed")
    changes = await carly.changes()
    for number, message in enumerate(MESSAGES):
        assert ["running", 25 * number, message] in changes


async def test_scenario_2_cancel_stops_a_long_analysis(
    carly: AgentPage, agents: Stack
) -> None:
    await carly.record_changes()
    await carly.choose("complex_analysis")
    await carly.start.click()
    await expect(carly.messages.nth(0)).to_have_text("Beginning complex analysis...")
    await expect(carly.messages.nth(1)).to_have_text("Processing data...")
    await carly.cancel.click()
    await expect(carly.messages.last).to_have_text("Task cancelled by user request")
    await expect(carly.status).to_have_text("cancelled")
    await expect(carly.cancel).to_be_disabled()
    progress = [bar for status, bar, _ in await carly.changes() if status == "running"]
    assert progress[-1] in {30, 55, 80}
    await expect(carly.bar).to_have_attribute("value", str(progress[-1]))
    await carly.save_screenshot("cancelled")
    async with agent_at(agents.agent_url("carly")) as agent:
        newest, *_ = await agent.tasks()
    assert newest["status"]["state"] == "TASK_STATE_CANCELED"


@pytest.mark.console_errors(r"net::ERR_", r"404 \(Not Found\)")
async def test_the_page_reconnects_after_its_agent_is_killed(
    carly: AgentPage, agents: Stack
) -> None:
    await carly.start.click()
    await expect(carly.messages.nth(1)).to_have_text(MESSAGES[1])
    agents.agents["carly"].kill()
    await expect(carly.link).to_have_text("Connection to Carly lost, trying again…")
    await expect(carly.start).to_be_disabled()
    await expect(carly.cancel).to_be_disabled()
    await expect(carly.messages.nth(1)).to_have_text(MESSAGES[1])
    await carly.save_screenshot("lost")
    agents.agents["carly"].restart()
    await expect(carly.link).to_have_text("live")
    reason = "Carly was restarted and no longer knows this task."
    await expect(carly.messages.last).to_have_text(reason)
    await expect(carly.status).to_have_text("failed")
    await carly.start.click()
    await expect(carly.results).to_contain_text(FOUND)


@pytest.mark.console_errors(r"net::ERR_")
async def test_a_reconnect_loses_and_repeats_no_update(
    page: Page, tmp_path: Path
) -> None:
    """The browser sends the last id, and the agent sends only newer events."""
    port = harness.free_port()
    flags = (f"--port={port}", "--step-s=1", "--fault=drop=2")
    server = harness.Server(
        "carly",
        [sys.executable, "-m", "agents", "carly", *flags],
        folder=tmp_path,
        url=f"http://127.0.0.1:{port}",
        ready_path="/.well-known/agent-card.json",
    )
    await page.add_init_script(RECORD_IDS)
    server.restart()
    try:
        carly = await AgentPage(page).open(server.url)
        await carly.start.click()
        await expect(carly.results).to_contain_text(FOUND)
        await expect(carly.messages).to_have_text(MESSAGES)
        ids: list[str] = await page.evaluate("eventIds")
    finally:
        server.terminate()
    assert server.output().count("fault=drop path=/tasks/stream") >= 3
    # One event for submitted, four for running, one for completed.
    assert [int(each.partition("-")[2]) for each in ids] == [1, 2, 3, 4, 5, 6]


async def test_a_question_is_answered_in_place(nancy: AgentPage) -> None:
    await nancy.choose("invite_everyone")
    await nancy.start.click()
    await expect(nancy.reply).to_be_visible()
    await expect(nancy.messages.last).to_have_text("Send 4 invitations?")
    await expect(nancy.status).to_have_text("needs your answer")
    await nancy.save_screenshot("question")
    await nancy.send.click()
    await expect(nancy.reply).to_be_hidden()
    await expect(nancy.results).to_contain_text("Sent 4 invitations")


async def test_a_question_is_answered_by_keyboard(nancy: AgentPage) -> None:
    keyboard = nancy.page.keyboard
    await nancy.choose("invite_everyone")
    await nancy.controls.get_by_label("In your words").focus()
    await keyboard.press("Enter")
    await expect(nancy.reply).to_be_visible()
    await nancy.reply.get_by_role("textbox").focus()
    await keyboard.type("Don't send")
    await keyboard.press("Enter")
    await expect(nancy.results).to_contain_text("Nothing was sent.")


async def test_a_task_started_with_curl_appears(
    carly: AgentPage, agents: Stack
) -> None:
    async with agent_at(agents.agent_url("carly")) as agent:
        await agent.start("Find a slot", skill="calendar_check")
    await expect(carly.messages.nth(0)).to_have_text(MESSAGES[0])
    await expect(carly.cancel).to_be_enabled()
    await carly.cancel.click()
    await expect(carly.status).to_have_text("cancelled")


async def test_a_reload_keeps_the_current_task(carly: AgentPage) -> None:
    await carly.choose("complex_analysis")
    await carly.start.click()
    await expect(carly.messages.nth(1)).to_have_text("Processing data...")
    await carly.page.reload()
    await expect(carly.status).to_have_text("running")
    await expect(carly.results).to_contain_text("Tuesdays at 18:30")


async def test_agent_text_with_markup_stays_text(page: Page, agents: Stack) -> None:
    markup = "<img src=x onerror=alert(1)><script>alert(1)</script>"
    rows = "".join(
        f'data: {{"task_id": "t", "progress": 1, {row}}}\n\n'
        for row in (
            f'"status": "running", "message": "{markup}"',
            f'"status": "completed", "result": "{markup}"',
        )
    )
    await page.route(
        "**/tasks/stream",
        lambda route: route.fulfill(body=rows, content_type="text/event-stream"),
    )
    await page.goto(agents.agent_url("carly"))
    carly = AgentPage(page)
    await expect(carly.messages.first).to_have_text(markup)
    await expect(carly.results).to_contain_text(markup)
    assert await page.locator("img, main script").count() == 0


@pytest.mark.console_errors(r"400 \(Bad Request\)")
async def test_a_refused_start_shows_the_reason(carly: AgentPage) -> None:
    reason = "carly has no skill 'juggling'"
    await carly.page.route(
        "**/message:send",
        lambda route: route.fulfill(status=400, json={"error": {"message": reason}}),
    )
    await carly.start.click()
    await expect(carly.controls.get_by_role("alert")).to_have_text(reason)
    await expect(carly.start).to_be_enabled()


@each_scheme
async def test_the_page_fits_360_pixels(nancy: AgentPage, scheme: Scheme) -> None:
    await nancy.page.emulate_media(color_scheme=scheme)
    await nancy.page.set_viewport_size({"width": 360, "height": 780})
    await nancy.choose("invite_everyone")
    await nancy.start.click()
    await expect(nancy.send).to_be_visible()
    await nancy.save_screenshot(f"narrow-{scheme}")
    assert await measure_width(nancy.page) == 360
    await nancy.cancel.click()
    await expect(nancy.status).to_have_text("cancelled")


@needs_axe
@each_scheme
async def test_axe_finds_no_violations(nancy: AgentPage, scheme: Scheme) -> None:
    await nancy.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    assert await find_violations(nancy.page) == []
    await nancy.choose("invite_everyone")
    await nancy.start.click()
    await expect(nancy.send).to_be_visible()
    await nancy.save_screenshot(f"question-{scheme}")
    assert await find_violations(nancy.page) == []
    await nancy.cancel.click()
    await expect(nancy.status).to_have_text("cancelled")
    assert await find_violations(nancy.page) == []


async def test_the_page_without_javascript_says_what_to_do(
    browser: Browser, agents: Stack
) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(agents.agent_url("carly"))
    await expect(page.get_by_role("heading", level=1)).to_have_text("Carly")
    await expect(page.locator("noscript p")).to_contain_text("JavaScript")
    await context.close()
