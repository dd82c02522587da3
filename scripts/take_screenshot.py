"""Takes the pictures and the film in docs/images, from the real page.

scripts/screenshot runs it. Starts the host and the four agents, starts tasks on the
page, and takes screenshots in light and dark.
"""

from __future__ import annotations

import tempfile
import time
from io import BytesIO
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.support.chromium import chromium_flags, chromium_path
from tests.support.harness import ROOT
from tests.support.stack import Stack

IMAGES = ROOT / "docs" / "images"
STEP_S = 1.0
# Two rounds of tasks, so that the page shows finished and running ones.
FIRST_TASKS = {
    "carly": "calendar_check",
    "walter": "weather_forecast",
    "nancy": "invite_everyone",
}
SECOND_TASKS = {
    "logan": "venue_search",
    "walter": "weather_forecast",
    "carly": "calendar_check",
}
# A PNG with 256 colours looks the same and has a third of the size.
COLOURS = 256
FRAME_S = 0.2
LAST_FRAME_S = 3.0

Frame = tuple[float, bytes]
"""The time of a screenshot, and its PNG."""


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
        frames = take_film(open_page(browser, stack.url, "light", height=700))
        light = open_page(browser, stack.url, "light")
        dark = open_page(browser, stack.url, "dark")
        start_tasks(light)
        save_picture(light.screenshot(), "courtside")
        save_picture(dark.screenshot(), "courtside-dark")
        take_details(light)
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


def start_tasks(page: Page) -> None:
    """Start both rounds; return when Nancy waits for an answer and the others work."""
    for agent, skill in FIRST_TASKS.items():
        start_task(page, agent, skill)
    for agent in ("carly", "walter"):
        expect(locate_status(page, agent)).to_have_text("completed", timeout=20_000)
    expect(locate_status(page, "nancy")).to_have_text("needs input", timeout=20_000)
    for agent, skill in SECOND_TASKS.items():
        start_task(page, agent, skill)
    expect(page.locator('.card[data-agent="carly"] .says')).to_have_text(
        "Querying team calendars..."
    )
    page.mouse.move(0, 0)


def take_details(page: Page) -> None:
    """Take the pictures of single parts of the page."""
    save_picture(page.locator(".needs").screenshot(), "needs-you")
    page.get_by_role("link", name="Timeline").click()
    expect(locate_status(page, "walter")).to_have_text("completed", timeout=20_000)
    for _ in range(3):
        page.get_by_role("button", name="Zoom in").click()
    page.mouse.move(0, 0)
    save_picture(page.locator("section.feed").screenshot(), "timeline")
    page.get_by_role("link", name="Feed").click()
    page.locator('.card[data-agent="walter"] button.details').click()
    expect(page.locator(".drawer .step").first).to_be_visible()
    save_picture(page.locator(".drawer").screenshot(), "drawer")


def take_film(page: Page) -> list[Frame]:
    """Film four tasks, a question, its answer, and one task in the drawer."""
    frames: list[Frame] = []

    def film_until(visible: Locator) -> None:
        end = time.monotonic() + 30
        while not visible.is_visible():
            take_frame()
            if time.monotonic() > end:
                raise SystemExit(f"not visible after 30 s: {visible}")
        take_frame()

    def take_frame() -> None:
        at = time.monotonic()
        frames.append((at, page.screenshot()))
        page.wait_for_timeout(max(0.0, at + FRAME_S - time.monotonic()) * 1000)

    take_frame()
    for agent, skill in (FIRST_TASKS | SECOND_TASKS).items():
        start_task(page, agent, skill)
        take_frame()
    film_until(page.locator(".needs"))
    film_until(page.locator('.card[data-agent="logan"] [data-tone="completed"]').first)
    page.locator('.card[data-agent="nancy"] button.details').click()
    for _ in range(5):
        take_frame()
    page.locator(".drawer .choices button").first.click()
    film_until(page.locator('.drawer .task[data-tone="completed"]'))
    page.mouse.move(0, 0)
    take_frame()
    return frames


def save_film(frames: list[Frame], path: Path) -> None:
    """Save the frames at the speed of the recording; the last frame stays longer."""
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


def save_picture(png: bytes, name: str) -> None:
    picture = (
        Image.open(BytesIO(png))
        .convert("RGB")
        .quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    )
    picture.save(IMAGES / f"{name}.png", optimize=True)


def start_task(page: Page, agent: str, skill: str) -> None:
    card = page.locator(f'.card[data-agent="{agent}"]')
    card.locator("button.start").click()
    card.locator(f'[data-skill="{skill}"] button').first.click()
    expect(card.locator(".menu.start")).to_be_hidden()


def locate_status(page: Page, agent: str) -> Locator:
    return page.locator(f'.card[data-agent="{agent}"] .task .status')


if __name__ == "__main__":
    main()
