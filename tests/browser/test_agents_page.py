"""Users add and remove agents on the page, in a real Chromium."""

from __future__ import annotations

import asyncio
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
from tests.support.harness import Server, free_port
from tests.support.stack import Stack

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page, Route

CONFLICT = r"status of 409"
ADDRESS, NAME = re.compile("^URL"), re.compile("^Name")


@pytest.fixture
def walter(tmp_path: Path) -> Iterator[Server]:
    """An agent that no host follows."""
    folder = tmp_path / "walter"
    folder.mkdir()
    with Stack(folder, ["walter"], with_host=False) as alone:
        yield alone.agents["walter"]


async def add(page: Page, url: str, name: str = "") -> Locator:
    """Fill in the form, send it and return it."""
    await page.get_by_role("button", name="Add agent").first.click()
    form = page.get_by_role("dialog", name="Add an agent")
    await form.get_by_label(ADDRESS).fill(url)
    await form.get_by_label(NAME).fill(name)
    await form.get_by_role("button", name="Add", exact=True).click()
    return form


async def open_about(screen: Screen, name: str) -> Locator:
    card = screen.card(name).root
    await card.get_by_role("button", name="More about").click()
    return card.get_by_role("dialog", name="About")


async def test_a_user_adds_an_agent_by_url_and_starts_a_task(
    new_stack: Stack, walter: Server, page: Page
) -> None:
    screen = await Screen(page).open(new_stack.url)
    form = await add(page, walter.url, "rain")
    await expect(form).to_be_hidden()
    rain = screen.card("rain")
    await expect(rain.connection).to_have_text("connected")
    await expect(rain.title).to_have_text("Walter")
    await expect(page.locator(".totals")).to_contain_text("2/2 agents")
    await screen.save_screenshot("added")
    await rain.start_skill("weather_forecast")
    await rain.expect_status("completed")


async def test_an_unreachable_agent_shows_the_cause_and_can_be_retried(
    new_stack: Stack, page: Page
) -> None:
    screen = await Screen(page).open(new_stack.url)
    await add(page, f"http://127.0.0.1:{free_port()}", "ghost")
    ghost = screen.card("ghost")
    await expect(ghost.connection).to_have_text("lost")
    await expect(ghost.cause).to_contain_text("refused")
    await expect(ghost.root.get_by_role("button", name="Retry now")).to_be_enabled()


@pytest.mark.console_errors(CONFLICT)
async def test_the_form_shows_an_error_and_keeps_its_input(
    new_stack: Stack, page: Page
) -> None:
    await Screen(page).open(new_stack.url)
    url = new_stack.agent_url("carly")
    form = await add(page, url, "another")
    await expect(form.get_by_role("alert")).to_contain_text(
        "already followed, as carly"
    )
    await expect(form.get_by_label(ADDRESS)).to_have_value(url)
    await expect(form.get_by_label(NAME)).to_have_value("another")


async def test_the_agent_menu_shows_how_the_host_follows_the_agent(
    new_stack: Stack, page: Page
) -> None:
    screen = await Screen(page).open(new_stack.url)
    how = screen.card("carly").root.locator(".how")
    await expect(how).to_have_text(
        re.compile(r"^(JSON-RPC|HTTP\+JSON) 1\.0 · streaming$")
    )
    about = await open_about(screen, "carly")
    await expect(about).to_contain_text(new_stack.agent_url("carly"))
    await expect(about).to_contain_text("every task")


async def test_removing_an_agent_needs_confirmation_and_keeps_its_events(
    new_stack: Stack, walter: Server, page: Page
) -> None:
    screen = await Screen(page).open(new_stack.url)
    await add(page, walter.url, "rain")
    carly = screen.card("carly")
    await carly.start_skill("calendar_check")
    await carly.expect_status("completed")
    about = await open_about(screen, "carly")
    await about.get_by_role("button", name="Remove…").click()
    await about.get_by_role("button", name="Cancel").click()
    await about.get_by_role("button", name="Remove…").click()
    await about.get_by_role("button", name="Remove Carly").click()
    await expect(carly.root).to_have_count(0)
    await expect(page.locator(".totals")).to_contain_text("1/1 agents")
    await expect(screen.filter_chip("Carly")).to_have_count(0)
    await screen.save_screenshot("removed")

    await page.reload()
    await expect(screen.card("rain").root).to_be_visible()
    await expect(carly.root).to_have_count(0)
    row = screen.rows.filter(has_text="Found 3 available slots for tomorrow!")
    await expect(row.first).to_contain_text("Carly")


async def test_the_response_to_a_closed_form_does_not_close_the_next_form(
    new_stack: Stack, walter: Server, page: Page
) -> None:
    screen = await Screen(page).open(new_stack.url)
    can_continue = asyncio.Event()

    async def hold(route: Route) -> None:
        await can_continue.wait()
        await route.continue_()

    await page.route("**/agents", hold)
    form = await add(page, walter.url, "rain")
    await expect(form.get_by_role("button", name="Adding…")).to_be_disabled()
    await page.keyboard.press("Escape")
    await expect(form.locator("form")).to_have_count(0)
    await page.get_by_role("button", name="Add agent").first.click()
    await form.get_by_label(NAME).fill("another")
    can_continue.set()
    await expect(screen.card("rain").connection).to_have_text("connected")
    await expect(form.get_by_role("button", name="Add", exact=True)).to_be_enabled()
    await expect(form.get_by_label(NAME)).to_have_value("another")


async def test_the_page_without_agents_says_what_to_do(
    new_stack: Stack, walter: Server, page: Page
) -> None:
    screen = await Screen(page).open(new_stack.url)
    about = await open_about(screen, "carly")
    await about.get_by_role("button", name="Remove…").click()
    await about.get_by_role("button", name="Remove Carly").click()
    empty = page.locator(".empty")
    await expect(empty).to_contain_text("No agents")
    await empty.get_by_role("button", name="Add agent").click()
    form = page.get_by_role("dialog", name="Add an agent")
    await form.get_by_label(ADDRESS).fill(walter.url)
    await form.get_by_label(ADDRESS).press("Enter")
    await expect(page.locator(".card .connection")).to_have_text("connected")


async def test_an_agent_removed_by_another_client_disappears(
    new_stack: Stack, page: Page
) -> None:
    screen = await Screen(page).open(new_stack.url)
    await page.request.delete(f"{new_stack.url}/agents/carly")
    await expect(screen.card("carly").root).to_have_count(0)
    await expect(screen.rows.first).to_contain_text("removed")


@needs_axe
@pytest.mark.console_errors(CONFLICT)
@each_scheme
@pytest.mark.parametrize("width", [1280, 360])
async def test_axe_finds_no_violations_in_the_form_and_the_agent_menu(
    new_stack: Stack, page: Page, scheme: Scheme, width: int
) -> None:
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await page.set_viewport_size({"width": width, "height": 780})
    screen = await Screen(page).open(new_stack.url)
    form = await add(page, new_stack.agent_url("carly"))
    await expect(form.get_by_role("alert")).to_be_visible()
    await screen.save_screenshot(f"add-{width}-{scheme}")
    assert await find_violations(page) == []
    await page.keyboard.press("Escape")
    about = await open_about(screen, "carly")
    await about.get_by_role("button", name="Remove…").click()
    await screen.save_screenshot(f"about-{width}-{scheme}")
    assert await find_violations(page) == []
    assert await measure_width(page) == width
