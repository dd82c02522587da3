"""The page works behind nginx and Caddy, below a path prefix."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.browser.conftest import STEP_S, TOKEN
from tests.browser.screen import Screen
from tests.support.a2a_client import WORKING, agent_at, request
from tests.support.proxies import PREFIX, proxy
from tests.support.stack import Stack

if TYPE_CHECKING:
    from playwright.async_api import Page


KEY = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A host with the settings of docs/proxies.md."""
    with Stack(
        tmp_path_factory.mktemp("stack"),
        step_s=STEP_S,
        host_toml='trusted_proxies = ["127.0.0.1"]',
        token=TOKEN,
    ) as running:
        yield running


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def base(
    request: pytest.FixtureRequest,
    stack: Stack,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The page's URL behind the proxy, without a final slash."""
    folder = tmp_path_factory.mktemp(request.param)
    server = proxy(request.param, stack.url.removeprefix("http://"), folder)
    server.restart()
    yield server.url + PREFIX
    server.terminate()


async def test_the_page_works_below_a_path_of_a_proxy(page: Page, base: str) -> None:
    await page.goto(base)
    await Screen(page).sign_in(TOKEN)
    await expect(page).to_have_url(f"{base}/")
    [cookie] = await page.context.cookies()
    assert cookie["path"] == f"{PREFIX}/"
    screen = await Screen(page).open(base)
    logan = screen.card("logan")
    await logan.start_skill("venue_search")
    task = str(await logan.task.get_attribute("data-task"))
    await logan.expect_status("running")
    await logan.details_button.click()
    await expect(screen.steps.first).to_be_visible()
    await expect(page).to_have_url(re.compile(f"^{base}/\\?show=logan"))
    await screen.drawer.locator("button.stop").click()
    await logan.expect_status("cancelled")
    await page.get_by_role("link", name="History").click()
    row = page.locator("#results .row", has_text=task[-6:]).first
    await expect(row).to_contain_text("cancelled")
    await page.reload()
    await expect(screen.link).to_have_text("Live")
    await expect(row).to_contain_text("cancelled")
    await expect(screen.drawer.locator(".task .status")).to_contain_text("cancelled")
    await page.get_by_role("link", name="Courtside").click()
    await expect(page).to_have_url(f"{base}/")


async def test_proxies_do_not_buffer_events(base: str) -> None:
    async with agent_at(f"{base}/a2a/carly") as carly, agent_at(base) as host:
        for client in (carly, host):
            client.http.headers.update(KEY)
        body = request("Anything", skill="calendar_check")
        async with (
            host.http.stream("GET", "/feed?agent=carly&kind=task") as feed,
            carly.http.stream("POST", "/message:stream", json=body) as stream,
        ):
            for answer in (feed, stream):
                async for line in answer.aiter_lines():
                    if "Checking personal calendar" in line:
                        break
            # The agent has not sent the next update. The task ends much later.
            task = json.loads(line.removeprefix("data: "))["statusUpdate"]["taskId"]
            now = (await carly.get(task))["status"]
        assert now["state"] == WORKING


async def test_agent_cards_contain_the_url_of_the_proxy(base: str) -> None:
    async with agent_at(base) as host:
        path = "/a2a/carly/.well-known/agent-card.json"
        # The proxy replaces these headers of a client.
        headers = {"x-forwarded-host": "evil.example", "x-forwarded-prefix": "/evil"}
        answer = await host.http.get(path, headers=KEY | headers)
        urls = {each["url"] for each in answer.json()["supportedInterfaces"]}
    assert urls
    assert all(url.startswith(f"{base}/a2a/carly") for url in urls)
