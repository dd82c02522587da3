"""A reply that the agent answers with a new task, on the page of a real host.

Each test saves screenshots in build/artifacts.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.screen import Screen, find_overflow
from tests.support.command_server import command_agents
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, static: Path | None
) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    with (
        command_agents(folder, "newtask", "fails500") as urls,
        Stack(folder, [], extra_agents=urls, static=static) as running,
    ):
        running.wait_connected(*urls)
        yield running


async def test_the_old_task_leaves_needs_you_and_both_name_the_other(
    screen: Screen,
) -> None:
    card = screen.card("newtask")
    await card.start_words("Book a court")
    await expect(screen.needs).to_contain_text("Which one?")
    old = await card.task.get_attribute("data-task")

    answer = screen.needs.get_by_role("textbox")
    await answer.fill("Court two")
    await answer.press("Enter")

    await expect(screen.needs).to_be_hidden()
    await card.expect_status("completed")
    await expect(card.task).to_have_attribute("data-task", f"after-{old}")
    await card.details_button.click()
    await expect(screen.drawer.get_by_role("heading", name="Continues")).to_be_visible()
    await screen.save_screenshot("reply-new-task")
    await screen.drawer.locator(".kin .choice").click()
    drawer = screen.page.locator(f'.drawer[data-task="newtask/{old}"]')
    await expect(drawer.get_by_role("heading", name="Continued by")).to_be_visible()
    await expect(drawer.locator(".task .status")).to_contain_text("continued")
    await expect(drawer.locator("form.question")).to_be_hidden()
    await screen.save_screenshot("reply-old-task")
    assert await find_overflow(screen.page) == []


@pytest.mark.console_errors(r"502 \(Bad Gateway\)")
async def test_the_card_says_that_messages_fail(screen: Screen) -> None:
    card = screen.card("fails500")
    await card.ask("please")

    await expect(card.connection).to_contain_text("messages fail")
    await expect(card.cause).to_contain_text("messages fail: HTTP 500")
    await screen.save_screenshot("messages-fail")

    await screen.page.reload()
    await card.ask("work")
    await expect(card.connection).to_contain_text("connected")
