"""Page objects for the browser tests: what users see and do on the page.

Screenshots are saved in build/artifacts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.async_api import expect

from tests.support.harness import ROOT

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

ARTIFACTS = ROOT / "build" / "artifacts"


async def find_overflow(page: Page) -> list[str]:
    """List the parts of the page that are wider than their box."""
    wider: list[str] = await page.evaluate("""() =>
        [document.documentElement, ...document.querySelectorAll(
            '.needs ul, .card, .list, .drawer .inner')]
        .filter(part => part.scrollWidth > part.clientWidth + 1)
        .map(part => `${part.className || part.tagName} ${part.scrollWidth}`)""")
    return wider


class Screen:
    """One open page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.link = page.locator("#bar .link")
        self.needs = page.locator(".needs")
        self.rows = page.locator(".row")
        self.list = page.locator("#list")
        self.drawer = page.locator(".drawer")
        # The steps of the task in the drawer, newest first.
        self.steps = self.drawer.locator(".course .step")

    async def open(self, url: str, path: str = "/") -> Screen:
        await self.page.goto(url + path)
        await expect(self.link).to_have_text("Live")
        return self

    async def sign_in(self, token: str) -> None:
        await self.page.get_by_label("Token").fill(token)
        await self.page.get_by_role("button", name="Sign in").click()

    def card(self, name: str) -> Card:
        return Card(self.page.locator(f'.card[data-agent="{name}"]'))

    def filter_chip(self, title: str) -> Locator:
        return self.page.locator(".chips").get_by_role("button", name=title, exact=True)

    async def save_screenshot(self, name: str) -> None:
        """Save a screenshot for people to look at."""
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=ARTIFACTS / f"{name}.png")

    async def ids(self) -> list[int]:
        """Return the ids of the visible rows, newest first."""
        script = "rows => rows.map(row => Number(row.dataset.id))"
        found: list[int] = await self.rows.evaluate_all(script)
        return found


class Card:
    """One agent's card."""

    def __init__(self, root: Locator) -> None:
        self.root = root
        self.task = root.locator(".task")
        self.title = root.get_by_role("heading", level=2)
        self.connection = root.locator(".connection")
        self.cause = root.locator(".cause")
        self.status = root.locator(".task .status")
        self.says = root.locator(".task .says")
        self.progress = root.get_by_role("progressbar")
        self.start_button = root.locator("button.start")
        self.stop_button = root.locator("button.stop")
        self.details_button = root.locator("button.details")
        self.reply_button = root.get_by_role("button", name="Reply")
        self.menu = root.locator(".menu.start")
        self.error = root.get_by_role("alert").first

    async def start_skill(self, skill_id: str) -> None:
        """Start a skill, and wait until the card shows the task."""
        before = await self.task.get_attribute("data-task")
        await self.start_button.click()
        await self.menu.locator(f'[data-skill="{skill_id}"] button').first.click()
        await self._expect_another_task(before)

    async def start_words(self, text: str) -> None:
        """Start a task with free text, and wait until the card shows it."""
        before = await self.task.get_attribute("data-task")
        await self.ask(text)
        await self._expect_another_task(before)

    async def ask(self, text: str) -> None:
        await self.start_button.click()
        await self.menu.get_by_role("textbox").fill(text)
        await self.menu.get_by_role("button", name="Start", exact=True).click()

    async def _expect_another_task(self, before: str | None) -> None:
        await expect(self.task).to_have_attribute("data-task", re.compile("."))
        if before is not None:
            await expect(self.task).not_to_have_attribute("data-task", before)

    async def expect_status(self, word: str) -> None:
        await expect(self.status).to_have_text(re.compile(word))
