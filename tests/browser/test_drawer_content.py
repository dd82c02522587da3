"""The drawer shows what agents sent: artifacts, raw updates and agent cards."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect

from tests.browser.screen import Screen
from tests.support.stack import Stack

if TYPE_CHECKING:
    from playwright.async_api import Page, Route


async def test_a_raw_update_is_fetched_on_request(screen: Screen) -> None:
    carly = screen.card("carly")
    await carly.start_skill("calendar_check")
    await carly.expect_status("completed")
    await carly.details_button.click()
    line = screen.steps.first
    await expect(line).to_contain_text("completed")
    await line.get_by_role("button", name="raw").click()
    await expect(line.locator(".json")).to_contain_text("statusUpdate")
    await line.locator("summary", has_text="status:").click()
    await expect(line.locator(".json")).to_contain_text("TASK_STATE_COMPLETED")
    await line.get_by_role("button", name="raw").click()
    await expect(line.locator(".json")).to_be_hidden()


async def test_the_drawer_shows_chunks_images_trackers_and_files(
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


async def answer_with_hostile_events(route: Route) -> None:
    """Answer as the host would, with the task of a hostile agent."""
    at = "2026-11-22T12:00:00.000Z"
    ids = {"agent": "carly", "task_id": "evil", "context_id": "c1", "received_at": at}
    task: dict[str, Any] = {
        **ids,
        "kind": "task",
        "status": "running",
        "state": "TASK_STATE_WORKING",
        "progress": 50,
        "message": HOSTILE,
        "message_id": "m1",
        "at": at,
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
        **ids,
        "kind": "artifact",
        "artifact_id": HOSTILE,
        "name": HOSTILE,
        "parts": parts,
        "append": False,
        "last_chunk": True,
    }
    later = {**task, "context_id": "c2", "status": "submitted"}
    rows = [
        {"id": number, **row} for number, row in enumerate((task, artifact, later), 1)
    ]
    await route.fulfill(body="\n".join(map(json.dumps, rows)))


@pytest.mark.console_errors(r"404 \(Not Found\)")
async def test_agent_text_stays_text_and_loads_nothing(
    screen: Screen, stack: Stack
) -> None:
    page = screen.page
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    await page.route(re.compile("feed.ndjson.*task=evil"), answer_with_hostile_events)
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
    assert not [url for url in requested if "example.org" in url]


@pytest.mark.console_errors(r"404 \(Not Found\)")
async def test_violations_of_the_specification_are_marked(
    screen: Screen, stack: Stack
) -> None:
    page = screen.page
    await page.route(re.compile("feed.ndjson.*task=evil"), answer_with_hostile_events)
    await page.goto(f"{stack.url}/?show=carly%2Fevil")
    flaws = screen.steps.first.locator(".flaw")
    await expect(flaws).to_have_count(2)
    await expect(flaws.first).to_contain_text(
        "The context is c2, but the task's context is c1."
    )
    await expect(flaws.last).to_contain_text("a task is submitted once")


async def test_a_valid_agent_card_has_no_flaws(screen: Screen) -> None:
    carly = screen.card("carly")
    await carly.start_skill("calendar_check")
    await carly.expect_status("completed")
    await carly.details_button.click()
    card = screen.drawer.locator("details", has_text="Agent card")
    await card.locator("summary").first.click()
    await expect(card).to_contain_text("defaultInputModes")
    await expect(card.locator(".flaw")).to_have_count(0)


@pytest.mark.console_errors(r"404 \(Not Found\)")
async def test_an_invalid_agent_card_shows_its_flaws(
    screen: Screen, stack: Stack
) -> None:
    page = screen.page
    await page.route(
        "**/a2a/carly/.well-known/agent-card.json",
        lambda route: route.fulfill(json={"name": "Carly", "skills": [{"id": "a"}]}),
    )
    await page.route(re.compile("feed.ndjson.*task=evil"), answer_with_hostile_events)
    await page.goto(f"{stack.url}/?show=carly%2Fevil")
    await screen.drawer.locator("summary", has_text="Agent card").click()
    flaws = screen.drawer.locator("details > .flaw")
    await expect(flaws.first).to_contain_text("AgentCard.description is required")
    await expect(flaws.last).to_contain_text("Skill “a”: AgentSkill.tags is required")
