"""Owns the pictures in docs/images: starts everything, has all four agents work, and
photographs the page, light and dark, and films it. scripts/screenshot runs it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.support.chromium import chromium_flags, chromium_path  # noqa: E402
from tests.support.harness import Stack  # noqa: E402

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
# Flat colours: with so many a picture weighs a third and looks the same.
COLOURS = 256
FRAME_S = 0.2
LAST_FRAME_S = 3.0

Frame = tuple[float, bytes]
"""When it was seen, and the picture."""


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        Stack(Path(folder), step_s=STEP_S) as stack,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=chromium_path(), args=chromium_flags()
        )
        frames = film(open_page(browser, stack.url, "light", height=700))
        light = open_page(browser, stack.url, "light")
        dark = open_page(browser, stack.url, "dark")
        work(light)
        keep(light.screenshot(), "courtside")
        keep(dark.screenshot(), "courtside-dark")
        details(light)
        browser.close()
    save_film(frames, IMAGES / "courtside.webp")


def open_page(
    browser: Browser, url: str, scheme: Literal["light", "dark"], height: int = 800
) -> Page:
    context = browser.new_context(
        viewport={"width": 1280, "height": height}, color_scheme=scheme
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


def details(page: Page) -> None:
    """The parts that have a picture of their own."""
    keep(page.locator(".needs").screenshot(), "needs-you")
    page.get_by_role("link", name="Timeline").click()
    expect(status(page, "walter")).to_have_text("completed", timeout=20_000)
    for _ in range(3):
        page.get_by_role("button", name="Zoom in").click()
    page.mouse.move(0, 0)
    keep(page.locator("section.feed").screenshot(), "timeline")
    page.get_by_role("link", name="Feed").click()
    page.locator('.card[data-agent="walter"] button.details').click()
    expect(page.locator(".drawer .step").first).to_be_visible()
    keep(page.locator(".drawer").screenshot(), "drawer")


def film(page: Page) -> list[Frame]:
    """Four tasks, a question, the answer, and one of them in full."""
    frames: list[Frame] = []

    def until(seen: Locator) -> None:
        end = time.monotonic() + 30
        while not seen.is_visible():
            roll()
            if time.monotonic() > end:
                raise SystemExit(f"the film waits in vain for {seen}")
        roll()

    def roll() -> None:
        at = time.monotonic()
        frames.append((at, page.screenshot()))
        page.wait_for_timeout(max(0.0, at + FRAME_S - time.monotonic()) * 1000)

    roll()
    for agent, skill in (FIRST | THEN).items():
        start(page, agent, skill)
        roll()
    until(page.locator(".needs"))
    until(page.locator('.card[data-agent="logan"] [data-tone="completed"]').first)
    page.locator('.card[data-agent="nancy"] button.details').click()
    for _ in range(5):
        roll()
    page.locator(".drawer .choices button").first.click()
    until(page.locator('.drawer .task[data-tone="completed"]'))
    page.mouse.move(0, 0)
    roll()
    return frames


def save_film(frames: list[Frame], path: Path) -> None:
    """Each picture for as long as it was to be seen, the last one longer."""
    ends = [at for at, _ in frames[1:]] + [frames[-1][0] + LAST_FRAME_S]
    lengths = [
        round((end - at) * 1000) for (at, _), end in zip(frames, ends, strict=True)
    ]
    first, *rest = [Image.open(BytesIO(png)).convert("RGB") for _, png in frames]
    first.save(
        path,
        save_all=True,
        append_images=rest,
        duration=lengths,
        loop=0,
        quality=70,
        method=3,
    )


def keep(png: bytes, name: str) -> None:
    picture = (
        Image.open(BytesIO(png))
        .convert("RGB")
        .quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    )
    picture.save(IMAGES / f"{name}.png", optimize=True)


def start(page: Page, agent: str, skill: str) -> None:
    card = page.locator(f'.card[data-agent="{agent}"]')
    card.locator("button.start").click()
    card.locator(f'[data-skill="{skill}"] button').first.click()
    expect(card.locator(".menu.start")).to_be_hidden()


def status(page: Page, agent: str) -> Locator:
    return page.locator(f'.card[data-agent="{agent}"] .task .status')


if __name__ == "__main__":
    main()
