"""The drawer: one task with all its details, live, and its controls."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Literal

import pytest
from playwright.async_api import expect

from tests.browser.screen import Screen
from tests.browser.test_fit import AXE, axe
from tests.support.a2a_client import agent_at
from tests.support.stack import Stack

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page, Route

SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")


def steps(drawer: Locator) -> Locator:
    """The steps of the task, newest first."""
    return drawer.locator(".course .step")


async def test_the_drawer_shows_a_task_while_it_runs(screen: Screen) -> None:
    carly = screen.card("carly")
    await carly.start_skill("calendar_check")
    await carly.expect_status("running")
    await carly.details_button.click()
    drawer = screen.drawer
    await expect(drawer.get_by_role("heading", level=2)).to_be_focused()
    await expect(drawer.locator(".task .status")).to_contain_text("running")
    await expect(drawer.get_by_role("progressbar")).to_have_attribute("value", "75")
    await expect(drawer.locator(".task .status")).to_contain_text("completed")
    await expect(drawer.locator(".task .when")).to_contain_text(re.compile("took .+ s"))
    artifact = drawer.locator(".artifact")
    await expect(artifact).to_contain_text("Found 3 available slots for tomorrow!")
    await expect(steps(drawer).first).to_contain_text("completed")
    await expect(steps(drawer).last).to_contain_text("Find a slot for a game tomorrow")
    await expect(steps(drawer).last.locator(".status")).to_have_text("you")
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
    await expect(steps(screen.drawer).first).to_contain_text("completed")
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


async def test_a_raw_update_is_fetched_on_request(
    screen: Screen,
) -> None:
    carly = screen.card("carly")
    await carly.start_skill("calendar_check")
    await carly.expect_status("completed")
    await carly.details_button.click()
    line = steps(screen.drawer).first
    await expect(line).to_contain_text("completed")
    await line.get_by_role("button", name="raw").click()
    await expect(line.locator(".json")).to_contain_text("statusUpdate")
    await line.locator("summary", has_text="status:").click()
    await expect(line.locator(".json")).to_contain_text("TASK_STATE_COMPLETED")
    await line.get_by_role("button", name="raw").click()
    await expect(line.locator(".json")).to_be_hidden()


async def test_the_card_of_our_agent_has_no_flaw(screen: Screen) -> None:
    carly = screen.card("carly")
    await carly.start_skill("calendar_check")
    await carly.expect_status("completed")
    await carly.details_button.click()
    card = screen.drawer.locator("details", has_text="Agent card")
    await card.locator("summary").first.click()
    await expect(card).to_contain_text("defaultInputModes")
    await expect(card.locator(".flaw")).to_have_count(0)


async def test_a_task_has_its_curl_commands(screen: Screen) -> None:
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


async def test_chunks_images_trackers_and_files_are_shown(
    page: Page, odd_stack: Stack
) -> None:
    screen = await Screen(page).open(odd_stack.url)
    scenario = screen.card("scenario")
    await scenario.start_skill("streaming")
    await scenario.expect_status("completed")
    await scenario.details_button.click()
    story = screen.drawer.locator(".artifact", has_text="story")
    await expect(story.locator(".words").nth(1)).to_have_text("Once upon a time")
    await expect(story.locator(".tree")).to_contain_text("page")
    picture = screen.drawer.locator(".artifact", has_text="picture")
    async with page.expect_download() as download:
        await picture.locator("button.save").click()
    file = await download.value
    assert file.suggested_filename == "dot.svg"
    assert (await file.path()).read_bytes() == b"<svg/>"
    await scenario.start_skill("parallel")
    await scenario.expect_status("completed")
    await scenario.details_button.click()
    trackers = screen.drawer.locator(".trackers li")
    await expect(trackers).to_have_count(2)
    await expect(trackers.first).to_contain_text("left")
    await screen.save_screenshot("trackers")


HOSTILE = (
    "<img src=x onerror=alert(1)> [a](javascript:alert(1)) "
    "**bold** \u202eevil\u202c https://example.org/a"
)


async def feed_of(route: Route) -> None:
    """Answer with the events of a hostile agent's task, as the host would."""
    at = "2026-11-22T12:00:00.000Z"
    own = {"agent": "carly", "task_id": "evil", "context_id": "c1", "received_at": at}
    task: dict[str, Any] = {
        **{"kind": "task", "status": "running", "state": "TASK_STATE_WORKING", **own},
        **{"progress": 50, "message": HOSTILE, "message_id": "m1", "at": at},
    }
    parts: list[dict[str, Any]] = [
        {"text": f"# {HOSTILE}\n\n- {HOSTILE}", "mediaType": "text/markdown"},
        {"data": {HOSTILE: [HOSTILE, {"deep": None}]}},
        {"url": "javascript:alert(1)"},
        {"url": "https://example.org/picture.png", "mediaType": "image/png"},
        {"raw": "PHNjcmlwdD4=", "mediaType": "text/html", "filename": "../\u202efdp.x"},
        {"text": "x" * 100_000},
    ]
    artifact = {
        **{"kind": "artifact", "artifact_id": HOSTILE, "name": HOSTILE, **own},
        **{"parts": parts, "append": False, "last_chunk": True},
    }
    later = {**task, "context_id": "c2", "status": "submitted"}
    rows = [
        {"id": number, **row} for number, row in enumerate((task, artifact, later), 1)
    ]
    await route.fulfill(body="\n".join(map(json.dumps, rows)))


@pytest.mark.console_errors(r"404 \(Not Found\)")
async def test_agent_text_stays_text_and_nothing_is_fetched(
    screen: Screen, stack: Stack
) -> None:
    page = screen.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.route(re.compile("feed.ndjson.*task=evil"), feed_of)
    await page.goto(f"{stack.url}/?show=carly%2Fevil")
    drawer = screen.drawer
    await expect(drawer.locator(".artifact")).to_contain_text("<img src=x onerror")
    await expect(drawer.locator(".prose li")).to_contain_text("[a](javascript:alert(1)")
    await expect(drawer.locator(".prose .heading b")).to_have_text("bold")
    assert await drawer.locator("img, script, iframe, form").count() == 0
    links = await drawer.locator("a").evaluate_all(
        "all => all.map(a => [a.href, a.rel])"
    )
    assert {href for href, _ in links} == {
        "https://example.org/a",
        "https://example.org/picture.png",
    }
    assert {rel for _, rel in links} == {"noopener noreferrer"}
    assert await drawer.locator("button.save").nth(2).inner_text() == "_fdp.x · 9 B"
    await screen.save_screenshot("hostile")
    assert not [url for url in asked if "example.org" in url]


@pytest.mark.console_errors(r"404 \(Not Found\)")
async def test_violations_of_the_specification_are_marked(
    screen: Screen, stack: Stack
) -> None:
    page = screen.page
    await page.route(re.compile("feed.ndjson.*task=evil"), feed_of)
    await page.goto(f"{stack.url}/?show=carly%2Fevil")
    flaws = steps(screen.drawer).first.locator(".flaw")
    await expect(flaws).to_have_count(2)
    await expect(flaws.first).to_contain_text(
        "The context is c2, but the task's context is c1."
    )
    await expect(flaws.last).to_contain_text("a task is submitted once")


@pytest.mark.console_errors(r"404 \(Not Found\)")
async def test_an_invalid_card_shows_its_flaws(screen: Screen, stack: Stack) -> None:
    page = screen.page
    await page.route(
        "**/a2a/carly/.well-known/agent-card.json",
        lambda route: route.fulfill(json={"name": "Carly", "skills": [{"id": "a"}]}),
    )
    await page.route(re.compile("feed.ndjson.*task=evil"), feed_of)
    await page.goto(f"{stack.url}/?show=carly%2Fevil")
    await screen.drawer.locator("summary", has_text="Agent card").click()
    flaws = screen.drawer.locator("details > .flaw")
    await expect(flaws.first).to_contain_text("AgentCard.description is required")
    await expect(flaws.last).to_contain_text("Skill “a”: AgentSkill.tags is required")


async def test_several_agents_are_asked_at_once_and_shown_side_by_side(
    screen: Screen, stack: Stack
) -> None:
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
        await expect(status).to_contain_text("completed", timeout=20_000)
        await expect(screen.drawer.nth(at).locator(".artifact").first).to_be_visible()
    await screen.save_screenshot("side-by-side")
    await page.reload()
    await expect(screen.drawer).to_have_count(3)
    await screen.drawer.first.get_by_role("button", name="Close").click()
    await expect(screen.drawer).to_have_count(2)


async def test_a_plan_shows_its_children_and_asks_before_it_stops_them(
    screen: Screen, stack: Stack
) -> None:
    host = screen.card("host")
    await host.start_button.click()
    await host.menu.locator(".choice").first.click()
    await host.expect_status("running")
    await host.details_button.click()
    started = screen.drawer.locator(".kin li")
    await expect(started.first).to_be_visible(timeout=20_000)
    await screen.save_screenshot("plan")
    await screen.drawer.locator("button.stop").click()
    ask = screen.drawer.get_by_role("group", name="Stop this task?")
    await ask.get_by_role("button", name="Keep running").click()
    await expect(ask).to_be_hidden()
    await host.expect_status("running|needs")
    await screen.drawer.locator("button.stop").click()
    await ask.get_by_role("button", name="other task").click()
    await host.expect_status("cancelled")
    await started.first.locator("button").click()
    await expect(screen.drawer.locator(".kin h3").first).to_have_text("Started by")
    async with agent_at(stack.agent_url("carly")) as agent:
        assert "TASK_STATE_WORKING" not in str(await agent.tasks())


async def test_the_drawer_continues_after_the_browser_was_offline(
    new_stack: Stack, page: Page
) -> None:
    screen = await Screen(page).open(new_stack.url)
    await screen.card("carly").start_skill("calendar_check")
    await screen.card("carly").expect_status("running")
    await screen.card("carly").details_button.click()
    await expect(steps(screen.drawer).first).to_be_visible()
    await page.context.set_offline(True)
    await page.context.set_offline(False)
    await expect(screen.drawer.locator(".task .status")).to_contain_text("completed")
    await expect(steps(screen.drawer).first).to_contain_text("completed")


async def test_keys_do_what_buttons_do(screen: Screen) -> None:
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


@pytest.mark.skipif(not AXE.exists(), reason="needs axe-core: run npm ci")
@pytest.mark.parametrize("scheme", SCHEMES)
async def test_axe_finds_nothing_in_the_drawer(
    page: Page, odd_stack: Stack, scheme: Literal["light", "dark"]
) -> None:
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    screen = await Screen(page).open(odd_stack.url)
    scenario = screen.card("scenario")
    await scenario.start_skill("asking")
    await scenario.expect_status("needs input")
    await scenario.details_button.click()
    await steps(screen.drawer).first.get_by_role("button", name="raw").click()
    await expect(screen.drawer.locator(".json")).to_be_visible()
    # It comes last, and moves what is below it.
    await expect(screen.drawer.get_by_text("Go", exact=True)).to_be_visible()
    for summary in await screen.drawer.locator(".inner > details > summary").all():
        await summary.click()
    await expect(screen.drawer.locator("details .json")).to_be_visible()
    await screen.save_screenshot(f"drawer-{scheme}")
    assert await axe(page) == []
    await page.set_viewport_size({"width": 360, "height": 780})
    await screen.save_screenshot(f"drawer-narrow-{scheme}")
    assert await axe(page) == []
    assert await page.evaluate("() => document.documentElement.scrollWidth") == 360
    await screen.drawer.locator("button.stop").click()
    await scenario.expect_status("cancelled")
