"""Page object of an agent's own page: what its users see and do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.async_api import expect

from tests.browser.screen import ARTIFACTS

if TYPE_CHECKING:
    from playwright.async_api import Page

RECORD_CHANGES = """
area => {
    window.changes = [];
    const [status, bar] = area.querySelectorAll('#status, #progress-bar');
    new MutationObserver(() => {
        const message = area.querySelector('#status-messages li:last-child span');
        changes.push([status.textContent, bar.value, message?.textContent]);
    }).observe(area, { subtree: true, childList: true, attributes: true });
}
"""


class AgentPage:
    """The page of one agent, as a user sees it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.link = page.locator("#link")
        self.controls = page.locator("#task-controls")
        self.start = self.controls.get_by_role("button", name="Start")
        self.cancel = self.controls.get_by_role("button", name="Cancel")
        self.status = page.locator("#progress-area #status")
        self.bar = page.locator("#progress-area #progress-bar")
        self.messages = page.locator("#progress-area #status-messages li span")
        self.reply = page.locator("#progress-area #reply")
        self.send = self.reply.get_by_role("button", name="Send", exact=True)
        self.results = page.locator("#results")

    async def open(self, url: str) -> AgentPage:
        await self.page.goto(url)
        await expect(self.link).to_have_text("live")
        return self

    async def choose(self, skill: str) -> None:
        await self.controls.locator(f'[name=skill][value="{skill}"]').check()

    async def record_changes(self) -> None:
        """Start to record the changes for `changes`. Polling would miss some."""
        await self.page.locator("#progress-area").evaluate(RECORD_CHANGES)

    async def changes(self) -> list[list[object]]:
        """Return the status, progress and last message after each change."""
        found: list[list[object]] = await self.page.evaluate("changes")
        return found

    async def save_screenshot(self, name: str) -> None:
        """Save a screenshot for people to look at."""
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        path = ARTIFACTS / f"agent-{name}.png"
        await self.page.screenshot(path=path, full_page=True)
