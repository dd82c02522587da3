"""The drawer shows one task live, with all its details and controls."""

from __future__ import annotations

import re
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
from tests.browser.screen import Screen
from tests.support.a2a_client import agent_at
from tests.support.stack import SEED_AGENTS, Stack

if TYPE_CHECKING:
    from playwright.async_api import Page


@pytest.fixture
def slow_stack(tmp_path: Path, static: Path | None) -> Iterator[Stack]:
    """The agents of the built-in plan, whose tasks last until a test stops them."""
    with Stack(tmp_path, SEED_AGENTS, step_s=600, static=static) as running:
        yield running


async def test_the_drawer_shows_a_task_while_it_runs(screen: Screen) -> None:
    carly = screen.card("carly")
    await carly.start_skill("calendar_check")
    await carly.expect_status("running")
    await carly.details_button.click()
    drawer = screen.drawer
    await expect(drawer.get_by_role("heading", level=2)).to_be_focused()
    await expect(drawer.locator(".task .status")).to_contain_text("running")
    progress = re.compile("25|50|75|100")
    await expect(drawer.get_by_role("progressbar")).to_have_attribute("value", progress)
    await expect(drawer.locator(".task .status")).to_contain_text("completed")
    await expect(drawer.locator(".task .when")).to_contain_text(re.compile("took .+ s"))
    artifact = drawer.locator(".artifact")
    await expect(artifact).to_contain_text("Found 3 available slots for tomorrow!")
    await expect(screen.steps.first).to_contain_text("completed")
    await expect(screen.steps.last).to_contain_text("Find a slot for a game tomorrow")
    await expect(screen.steps.last.locator(".status")).to_have_text("you")
    await expect(drawer.locator(".times")).to_contain_text("running")
    await screen.save_screenshot("drawer")


async def test_the_drawer_is_in_the_url_and_survives_a_reload(
    screen: Screen,
) -> None:
    carly = screen.card("carly")
    await carly.start_skill("calendar_check")
    await carly.expect_status("completed")
    await screen.rows.first.locator(".id button").click()
    await expect(screen.page).to_have_url(re.compile(r"\?show=carly%2F"))
    await screen.page.reload()
    await expect(screen.steps.first).to_contain_text("completed")
    await screen.page.keyboard.press("Escape")
    await expect(screen.drawer).to_be_hidden()
    await screen.page.go_back()
    await expect(screen.drawer).to_be_visible()


async def test_a_question_is_answered_with_one_of_its_choices(screen: Screen) -> None:
    nancy = screen.card("nancy")
    await nancy.start_skill("invite_everyone")
    await nancy.expect_status("needs input")
    choices = screen.needs.get_by_role("group", name="Answers").get_by_role("button")
    await expect(choices).to_have_text(["Send", "Don't send"])
    await nancy.details_button.click()
    question = screen.drawer.locator("form.question")
    await expect(question).to_contain_text("Send 4 invitations?")
    await screen.save_screenshot("choices")
    await question.get_by_role("button", name="Don't send").click()
    await expect(screen.needs).to_be_hidden()
    await expect(screen.drawer.locator(".says-all")).to_have_text("Nothing was sent.")
    said = screen.drawer.locator('.step[data-kind="user"]')
    await expect(said.first).to_contain_text("Don't send")


async def test_the_drawer_lists_curl_commands(screen: Screen) -> None:
    nancy = screen.card("nancy")
    await nancy.start_skill("invite_everyone")
    await nancy.expect_status("needs input")
    await nancy.details_button.click()
    curls = screen.drawer.locator("details", has_text="Copy as curl")
    await curls.locator("summary").click()
    names = await curls.locator("pre").evaluate_all("all => all.map(n => n.ariaLabel)")
    assert names == ["Task events", "Task JSON", "Follow", "Reply", "Stop"]
    await screen.drawer.locator("button.stop").click()
    await expect(screen.drawer.locator(".task .status")).to_contain_text("cancelled")


async def test_several_agents_answer_side_by_side(screen: Screen, stack: Stack) -> None:
    page = screen.page
    await page.get_by_role("button", name="Ask several").click()
    menu = page.get_by_role("dialog", name="Ask several agents")
    for name in ("Carly", "Walter", "Logan"):
        await menu.get_by_role("checkbox", name=name).check()
    await menu.get_by_role("textbox").fill("Tennis tomorrow evening?")
    await screen.save_screenshot("ask-several")
    await menu.get_by_role("button", name="Start").click()
    await expect(menu).to_be_hidden()
    await expect(screen.drawer).to_have_count(3)
    for at in range(3):
        status = screen.drawer.nth(at).locator(".task .status")
        await expect(status).to_contain_text("completed")
        await expect(screen.drawer.nth(at).locator(".artifact").first).to_be_visible()
    await screen.save_screenshot("side-by-side")
    await page.reload()
    await expect(screen.drawer).to_have_count(3)
    await screen.drawer.first.get_by_role("button", name="Close").click()
    await expect(screen.drawer).to_have_count(2)


async def test_a_plan_shows_its_tasks_and_asks_before_it_stops_them(
    slow_stack: Stack, page: Page
) -> None:
    screen = await Screen(page).open(slow_stack.url)
    host = screen.card("host")
    await host.start_button.click()
    await host.menu.locator(".choice").first.click()
    await host.expect_status("running")
    await host.details_button.click()
    started = screen.drawer.locator(".kin li")
    await expect(started).to_have_count(3)
    await screen.save_screenshot("plan")
    await screen.drawer.locator("button.stop").click()
    ask = screen.drawer.get_by_role("group", name="Stop this task?")
    await ask.get_by_role("button", name="Keep running").click()
    await expect(ask).to_be_hidden()
    await host.expect_status("running")
    await screen.drawer.locator("button.stop").click()
    await ask.get_by_role("button", name="other task").click()
    await host.expect_status("cancelled")
    await started.first.locator("button").click()
    await expect(screen.drawer.locator(".kin h3").first).to_have_text("Started by")
    async with agent_at(slow_stack.agent_url("carly")) as agent:
        states = [task["status"]["state"] for task in await agent.tasks()]
    assert states == ["TASK_STATE_CANCELED"]


async def test_the_drawer_continues_after_the_browser_was_offline(
    new_stack: Stack, page: Page
) -> None:
    screen = await Screen(page).open(new_stack.url)
    await screen.card("carly").start_skill("calendar_check")
    await screen.card("carly").expect_status("running")
    await screen.card("carly").details_button.click()
    await expect(screen.steps.first).to_be_visible()
    await page.context.set_offline(True)
    await page.context.set_offline(False)
    await expect(screen.drawer.locator(".task .status")).to_contain_text("completed")
    await expect(screen.steps.first).to_contain_text("completed")


async def test_keyboard_shortcuts_replace_buttons(screen: Screen) -> None:
    press, page = screen.page.keyboard.press, screen.page
    await press("?")
    await expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    await press("Escape")
    await press("4")
    await press("s")
    nancy = screen.card("nancy")
    await expect(nancy.menu).to_be_visible()
    await nancy.menu.locator('[data-skill="invite_everyone"] button').first.click()
    await nancy.expect_status("needs input")
    await press("r")
    await expect(screen.needs.get_by_role("textbox")).to_be_focused()
    await page.keyboard.type("xst")
    await expect(screen.needs.get_by_role("textbox")).to_have_value("xst")
    await screen.list.focus()
    await press("j")
    await press("j")
    await press("k")
    await press("Enter")
    await expect(screen.drawer).to_be_visible()
    await press("x")
    await nancy.expect_status("cancelled")
    await press("Escape")
    await expect(screen.drawer).to_be_hidden()
    await press("t")
    await expect(page).to_have_url(re.compile("tab=timeline"))


@needs_axe
@each_scheme
async def test_axe_finds_no_violations_in_the_drawer(
    page: Page, odd_stack: Stack, scheme: Scheme
) -> None:
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    screen = await Screen(page).open(odd_stack.url)
    scenario = screen.card("scenario")
    await scenario.start_skill("asking")
    await scenario.expect_status("needs input")
    await scenario.details_button.click()
    await screen.steps.first.get_by_role("button", name="raw").click()
    await expect(screen.drawer.locator(".json")).to_be_visible()
    # This button loads last, and moves the elements below it.
    await expect(screen.drawer.get_by_text("Go", exact=True)).to_be_visible()
    for summary in await screen.drawer.locator(".inner > details > summary").all():
        await summary.click()
    await expect(screen.drawer.locator("details .json")).to_be_visible()
    await screen.save_screenshot(f"drawer-{scheme}")
    assert await find_violations(page) == []
    await page.set_viewport_size({"width": 360, "height": 780})
    await screen.save_screenshot(f"drawer-narrow-{scheme}")
    assert await find_violations(page) == []
    assert await measure_width(page) == 360
    await screen.drawer.locator("button.stop").click()
    await scenario.expect_status("cancelled")
