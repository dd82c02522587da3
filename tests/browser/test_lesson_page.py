"""The finished page of the lesson works in Chromium: at its agent, at a stub agent, at
the host, and with three parallel tasks."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx
import pytest
from playwright.async_api import expect

from tests.support.harness import REQUEST_S, ROOT, STOP_S, Server, free_port
from tests.support.lesson_agent import learner_agent, read_code, send
from tests.support.lesson_steps import CODE
from tests.support.stack import SEED_AGENTS, Stack
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from playwright.async_api import Page

FINISHED = read_code("finished")
CALENDAR_SEARCH = [
    "Starting calendar search...",
    "Checking personal calendar...",
    "Querying team calendars...",
    "Finding optimal time slots...",
    "Found 3 available slots for tomorrow!",
]
RECORD_PROGRESS = """() => {
    window.progress = [];
    const bar = document.getElementById('progress-bar');
    new MutationObserver(() => {
        const value = Number(bar.getAttribute('aria-valuenow'));
        if (value !== window.progress.at(-1)) window.progress.push(value);
    }).observe(bar, { attributes: true });
}"""


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The finished agent."""
    with learner_agent(tmp_path_factory.mktemp("finished"), FINISHED) as running:
        yield running


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The agents of scripts/start and a host."""
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, SEED_AGENTS, step_s=0.3) as running:
        yield running


@pytest.fixture
def logged(page: Page) -> list[str]:
    """The lines on the browser's console."""
    lines: list[str] = []
    page.on("console", lambda message: lines.append(message.text))
    return lines


async def press(page: Page, button: str) -> None:
    await page.get_by_role("button", name=button).click()


async def read_messages(page: Page) -> list[str]:
    return await page.locator("#status-messages p").all_text_contents()


async def open_elsewhere(page: Page, url: str) -> None:
    """Serve the page from the origin of another server, and wait for its stream."""
    address = f"{url}/lesson-page"
    html = FINISHED["page.html"]
    await page.route(address, lambda route: route.fulfill(body=html))
    async with page.expect_response(f"{url}/tasks/stream"):
        await page.goto(address)


async def test_page_shows_the_calendar_search(page: Page, agent: Server) -> None:
    await page.goto(agent.url)
    await expect(page).to_have_title("A2A Streaming Agent")
    await page.evaluate(RECORD_PROGRESS)
    await press(page, "Start Calendar Analysis")

    await expect(page.locator("#results")).to_have_text(CALENDAR_SEARCH[-1])
    assert await read_messages(page) == CALENDAR_SEARCH
    assert await page.evaluate("progress") == [0, 25, 50, 75, 100]
    await expect(page.get_by_role("button", name="Cancel Task")).to_be_disabled()


async def test_user_cancels_the_complex_analysis(page: Page, agent: Server) -> None:
    await page.goto(agent.url)
    await press(page, "Start Complex Analysis")
    await expect(page.get_by_text("Processing data...")).to_be_visible()
    bar = page.get_by_role("progressbar")
    await expect(bar).to_have_attribute("aria-valuenow", "30")
    await press(page, "Cancel Task")

    cancelled = "Task cancelled by user request"
    await expect(page.locator("#results")).to_have_text(cancelled)
    assert await read_messages(page) == [
        "Beginning complex analysis...",
        "Processing data...",
        cancelled,
    ]
    await expect(bar).to_have_attribute("aria-valuenow", "30")
    await expect(page.locator("body")).to_have_attribute("data-status", "cancelled")


async def test_page_shows_an_error(page: Page, agent: Server) -> None:
    await page.goto(agent.url)
    await press(page, "Start with an Error")

    reason = "The team calendars do not respond. Try again."
    await expect(page.locator("#results")).to_have_text(reason)
    await expect(page.locator("body")).to_have_attribute("data-status", "error")


@pytest.mark.console_errors(r"net::ERR_")
async def test_page_says_that_the_connection_is_lost(
    page: Page, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with learner_agent(tmp_path_factory.mktemp("lost"), FINISHED) as agent:
        await page.goto(agent.url)
        connection = page.locator("#connection")
        await expect(connection).to_be_empty()
        agent.terminate()
        await expect(connection).to_have_text("Connection lost. Reconnecting...")
        agent.restart()

        await expect(connection).to_be_empty()
        await press(page, "Start Calendar Analysis")
        await expect(page.locator("#results")).to_have_text(CALENDAR_SEARCH[-1])


async def test_text_of_an_agent_is_not_html(page: Page, agent: Server) -> None:
    await page.goto(agent.url)
    text = "<b>bold</b>"
    row = f'{{"task_id": "1", "status": "running", "progress": 5, "message": "{text}"}}'
    await page.evaluate(
        "(data) => eventSource.dispatchEvent(new MessageEvent('message', { data }))",
        row,
    )

    assert text in await read_messages(page)  # Rows of earlier tasks may come later.


async def expect_clean(page: Page, logged: list[str]) -> None:
    """Neither the page nor the console has the text of a missing value."""
    shown = await page.locator("body").inner_text()
    progress = await page.get_by_role("progressbar").get_attribute("aria-valuenow")
    for text in (shown, progress or "", *logged):
        assert not re.search(r"undefined|null|NaN", text)


async def test_page_works_at_a_stub_agent(
    page: Page, stack: Stack, logged: list[str]
) -> None:
    await open_elsewhere(page, stack.agent_url("carly"))
    await press(page, "Start Calendar Analysis")

    await expect(page.locator("#results")).to_contain_text("Found 3 available slots")
    assert len(await read_messages(page)) == 5
    assert any(line.endswith(": completed") for line in logged)
    await expect_clean(page, logged)


async def test_page_cancels_at_a_stub_agent(
    page: Page, stack: Stack, logged: list[str]
) -> None:
    await open_elsewhere(page, stack.agent_url("carly"))
    await press(page, "Start Complex Analysis")
    await press(page, "Cancel Task")

    await expect(page.locator("body")).to_have_attribute("data-status", "cancelled")
    await expect_clean(page, logged)


async def test_page_works_at_the_host(
    page: Page, stack: Stack, logged: list[str]
) -> None:
    await open_elsewhere(page, stack.url)
    started = send(stack.agent_url("walter"), "Will it rain tomorrow?")
    assert started.status_code == httpx.codes.OK

    await expect(page.locator("body")).to_have_attribute("data-status", "completed")
    messages = await read_messages(page)
    assert all(message.startswith("walter: ") for message in messages)
    assert any(line.endswith(": completed") for line in logged)
    await expect_clean(page, logged)


@pytest.fixture(scope="module")
def parallel(
    tmp_path_factory: pytest.TempPathFactory, stack: Stack
) -> Iterator[Server]:
    """docs/lesson/code/parallel.py beside the stub agents."""
    port = free_port()
    ports = {
        f"{name.upper()}_PORT": stack.agent_url(name).rpartition(":")[2]
        for name in SEED_AGENTS
    }
    folder = tmp_path_factory.mktemp("parallel")
    server = Server(
        "parallel",
        [sys.executable, CODE / "parallel.py", f"--port={port}"],
        folder=folder,
        url=f"http://127.0.0.1:{port}",
        ready_path="/",
        env={"PYTHONPATH": str(ROOT), **ports},
    )
    server.restart()
    yield server
    server.terminate(STOP_S)


async def test_page_shows_three_parallel_tasks(
    page: Page, parallel: Server, stack: Stack, logged: list[str]
) -> None:
    await page.goto(parallel.url)

    messages = page.locator("#status-messages")
    for agent in ("carly", "walter", "logan"):
        await expect(messages).to_contain_text(f"{agent}: ")
    await wait_until(lambda: len(find_ended(logged)) == 3, "three completed tasks")
    await expect(messages).to_contain_text("carly: Found 3 available slots")
    await expect_clean(page, logged)
    # The stream stays open. Otherwise the browser would start the tasks again.
    await expect(page.locator("#connection")).to_be_empty()
    assert count_tasks(stack.agent_url("logan")) == 1


def find_ended(logged: list[str]) -> set[str]:
    return {line for line in logged if line.endswith(": completed")}


def count_tasks(url: str) -> int:
    answer = httpx.get(
        f"{url}/tasks",
        headers={"A2A-Version": "1.0"},
        timeout=REQUEST_S,
        trust_env=False,
    )
    return len(answer.json()["tasks"])
