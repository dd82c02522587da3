"""The page says what the snapshot of the feed had no room for, and shows the whole."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec import UNSET
from msgspec.structs import replace
from playwright.async_api import expect

from host.feed.snapshots import MAX_TEXT_BYTES
from host.log.contract import Entry
from host.log.sqlite_log import SqliteLog
from host.model.event import TaskEvent
from tests.browser.screen import Screen
from tests.support.stack import Stack

if TYPE_CHECKING:
    from playwright.async_api import Page

TASKS = 1_000
CONTEXT = "c" * 2_000
"""So long that the rows of all tasks do not fit in a snapshot."""
BEGIN, END = "Which of these dates", "is the best one?"
QUESTION = f"{BEGIN} {', '.join(f'day {n}' for n in range(100))} {END}"
DONE = TaskEvent(
    agent="reports",
    task_id="",
    context_id=CONTEXT,
    status="completed",
    state="TASK_STATE_COMPLETED",
    progress=100,
    message="Done.",
    result="The result",
    at="2026-11-22T12:00:00.124Z",
    received_at="2026-11-22T12:00:00.124Z",
)
ASKS = replace(
    DONE,
    task_id="asks",
    status="input-required",
    state="TASK_STATE_INPUT_REQUIRED",
    progress=50,
    message=QUESTION,
    result=UNSET,
    message_id="m1",
)


@pytest.fixture(scope="module")
async def full_stack(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory, static: Path | None
) -> AsyncIterator[Stack]:
    """A host whose log has very long rows of 1,000 tasks, and one long question."""
    assert len(QUESTION) > MAX_TEXT_BYTES
    stack = Stack(tmp_path_factory.mktemp("full"), ["carly"], static=static)
    rows = [replace(DONE, task_id=f"t{number}") for number in range(TASKS)]
    log = SqliteLog(stack.data_dir / "feed.db")
    await log.append(
        [Entry.of(f"reports/{row.task_id}", 1, row) for row in [*rows, ASKS]]
    )
    await log.close()
    with stack:
        yield stack


@pytest.fixture
async def screen(page: Page, full_stack: Stack) -> Screen:
    return await Screen(page).open(full_stack.url)


async def test_page_says_how_many_tasks_it_has_not_loaded(screen: Screen) -> None:
    notice = screen.page.locator(".feed .notice")
    await expect(notice).to_contain_text("Not on this page:")
    await screen.save_screenshot("tasks-left-out")
    await notice.get_by_role("button", name="Search the history").click()
    await expect(screen.page.get_by_role("searchbox", name="Text")).to_be_visible()
    await expect(notice).to_have_count(0)


# Nobody has the task any more.
@pytest.mark.console_errors("404")
async def test_question_that_is_cut_can_be_read_to_its_end(screen: Screen) -> None:
    question = screen.needs.locator(".question")
    await expect(question).to_contain_text(BEGIN)
    await expect(question).to_have_attribute("title", re.compile("…$"))
    await screen.needs.get_by_role("button", name="Details").click()
    await expect(screen.drawer.locator("form.question")).to_contain_text(END)
    await screen.save_screenshot("long-question")
