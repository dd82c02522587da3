"""The page opens recordings without a host."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import msgspec
import pytest
from playwright.async_api import expect

from host.model.event import with_id
from tests.browser.accessibility import find_violations, needs_axe
from tests.browser.screen import Screen
from tests.support import long_history
from tests.support.stack import Stack

if TYPE_CHECKING:
    from playwright.async_api import Page

TASKS = 400
MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A recording of four hundred tasks."""
    start = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
    lines = [
        with_id(number, msgspec.json.encode(event))
        for number, (_, event) in enumerate(long_history.events(TASKS, start), 1)
    ]
    file = tmp_path / "run.ndjson"
    file.write_bytes(b"\n".join(lines))
    return file


@pytest.mark.console_errors(r"ERR_INTERNET_DISCONNECTED.*favicon")
async def test_a_recording_opens_without_requests_to_a_host(
    page: Page, page_alone: str, recording: Path
) -> None:
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    await page.goto(f"{page_alone}/?open")
    await expect(page.get_by_text("Open a recording")).to_be_visible()
    assert not [url for url in requested[1:] if "/static/" not in url]
    # From now on, no host can answer.
    await page.context.set_offline(True)
    requested.clear()
    await page.locator("input[type=file]").set_input_files(recording)

    screen = Screen(page)
    await expect(screen.link).to_have_text("Recording")
    await expect(page.locator(".recorded")).to_contain_text("run.ndjson · 2,000 events")
    await expect(screen.rows.first).to_have_attribute("data-id", "2000")
    carly = screen.card("carly")
    await expect(carly.says).to_have_text("Step of 396")
    await expect(carly.connection).to_have_text("recorded")
    await expect(carly.start_button).to_be_hidden()
    await expect(page.get_by_role("button", name="Add agent")).to_be_hidden()
    await screen.save_screenshot("recording")

    await page.get_by_role("link", name="Timeline").click()
    await expect(page.locator(".tools .loaded")).to_have_text(f"{TASKS} tasks")
    await expect(page.locator("#lanes .item").first).to_be_visible()
    await screen.save_screenshot("recording-timeline")

    await page.get_by_role("link", name="History").click()
    await page.get_by_role("searchbox", name="Text").fill("rain at seven")
    await page.keyboard.press("Enter")
    rows = page.locator("#results .row")
    await expect(rows.first).to_contain_text("Rain at seven")
    await expect(page.locator("#results .foot")).to_have_text("20 events in total.")
    await expect(page).to_have_url(re.compile("open"))
    # The browser itself requests the icon again.
    assert not [url for url in requested if "/static/" not in url]


async def test_an_export_can_be_opened_and_closed(
    new_stack: Stack, page: Page, tmp_path: Path
) -> None:
    screen = await Screen(page).open(new_stack.url)
    await screen.card("carly").start_skill("calendar_check")
    await screen.card("carly").expect_status("completed")
    await page.get_by_role("link", name="History").click()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Export").click()
    file = tmp_path / "run.ndjson"
    await (await download.value).save_as(file)
    await page.get_by_role("link", name="Open", exact=True).click()
    await page.locator("input[type=file]").set_input_files(file)
    await expect(screen.link).to_have_text("Recording")
    carly = screen.card("carly")
    await expect(carly.says).to_have_text("Found 3 available slots for tomorrow!")
    await expect(carly.start_button).to_be_hidden()
    await page.get_by_role("link", name="Back to the live page").click()
    await expect(screen.link).to_have_text("Live")
    await expect(carly.start_button).to_be_visible()


async def test_a_file_dropped_on_the_live_page_replaces_it(
    new_stack: Stack, page: Page, recording: Path
) -> None:
    screen = await Screen(page).open(new_stack.url)
    drop = """text => {
        const data = new DataTransfer();
        data.items.add(new File([text], 'dropped.ndjson'));
        document.body.dispatchEvent(
            new DragEvent('drop', { dataTransfer: data, bubbles: true }));
    }"""
    await page.evaluate(drop, await anyio.Path(recording).read_text())
    await expect(screen.link).to_have_text("Recording")
    await expect(page.locator(".recorded")).to_contain_text("dropped.ndjson")


@needs_axe
async def test_an_invalid_recording_is_refused_with_its_bad_line(
    page: Page, page_alone: str, tmp_path: Path
) -> None:
    await page.goto(f"{page_alone}/?open")
    file = tmp_path / "notes.ndjson"
    file.write_text(f'{{"id": 1}}\n{MARKUP}')
    await page.locator("input[type=file]").set_input_files(file)
    error = "notes.ndjson: Line 1 is not a feed event: it has no kind."
    await expect(page.get_by_role("alert").first).to_have_text(error)
    assert await find_violations(page) == []
    await Screen(page).save_screenshot("open")


async def test_a_hostile_recording_stays_text(
    page: Page, page_alone: str, tmp_path: Path
) -> None:
    file = tmp_path / "evil.ndjson"
    event = {
        "id": 1,
        "kind": "task",
        "agent": MARKUP,
        "task_id": MARKUP,
        "status": "x),url(http://evil.example/a",
        "message": MARKUP,
        "received_at": "2026-11-22T12:00:00Z",
    }
    file.write_bytes(msgspec.json.encode(event))
    await page.goto(f"{page_alone}/?open&tab=timeline")
    await page.locator("input[type=file]").set_input_files(file)
    await expect(page.locator("#lanes .item")).to_have_count(1)
    await page.get_by_role("link", name="Feed").click()
    await expect(page.locator(".row .text")).to_contain_text(MARKUP)
    assert await page.locator("main img").count() == 0
