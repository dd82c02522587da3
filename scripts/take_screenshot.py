"""Owns the pictures in docs/images: starts everything, has all four agents work, and
photographs the page, light and dark. scripts/screenshot runs it.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.conftest import CHROMIUM_FLAGS  # noqa: E402
from tests.harness import Stack  # noqa: E402

IMAGES = ROOT / "docs" / "images"
STEP_S = 1.0
# What each agent does first, so that there is a past to see, and then.
FIRST = {
    "carly": "calendar_check",
    "walter": "weather_forecast",
    "nancy": "invite_everyone",
}
THEN = {
    "logan": "venue_search",
    "walter": "weather_forecast",
    "carly": "calendar_check",
}


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    chromium = os.environ.get("COURTSIDE_CHROMIUM") or shutil.which("chromium")
    with (
        tempfile.TemporaryDirectory() as folder,
        Stack(Path(folder), step_s=STEP_S) as stack,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=chromium, args=CHROMIUM_FLAGS
        )
        light = open_page(browser, stack.url, "light")
        dark = open_page(browser, stack.url, "dark")
        work(light)
        light.screenshot(path=IMAGES / "courtside.png")
        dark.screenshot(path=IMAGES / "courtside-dark.png")
        browser.close()


def open_page(browser: Browser, url: str, scheme: Literal["light", "dark"]) -> Page:
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, color_scheme=scheme
    )
    page = context.new_page()
    page.goto(url)
    expect(page.locator("#bar .link")).to_have_text("Live")
    return page


def work(page: Page) -> None:
    """Until Nancy has asked, and the others are in the middle of something."""
    for agent, skill in FIRST.items():
        start(page, agent, skill)
    for agent in ("carly", "walter"):
        expect(status(page, agent)).to_have_text("completed", timeout=20_000)
    expect(status(page, "nancy")).to_have_text("needs input", timeout=20_000)
    for agent, skill in THEN.items():
        start(page, agent, skill)
    expect(page.locator('.card[data-agent="carly"] .says')).to_have_text(
        "Querying team calendars…"
    )
    page.mouse.move(0, 0)


def start(page: Page, agent: str, skill: str) -> None:
    card = page.locator(f'.card[data-agent="{agent}"]')
    card.locator("button.start").click()
    card.locator(f'[data-skill="{skill}"] button').first.click()


def status(page: Page, agent: str) -> Locator:
    return page.locator(f'.card[data-agent="{agent}"] .task .status')


if __name__ == "__main__":
    main()
