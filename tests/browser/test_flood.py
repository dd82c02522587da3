"""The page shows hundreds of events per second."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.screen import Screen
from tests.support import harness

if TYPE_CHECKING:
    from playwright.async_api import Page

RATE = 500

COUNT_LEFT_NODES = """async () => {
  const { html, render } = await import('./static/vendor/lit-html/lit-html.js');
  const { repeat } = await import('./static/vendor/lit-html/directives/repeat.js');
  const list = document.createElement('ul');
  const draw = (ids) =>
    render(html`${repeat(ids, (id) => id, (id) => html`<li>${id}</li>`)}`, list);
  draw([]);
  const before = list.childNodes.length;
  draw([1, 2, 3]);
  draw([]);
  return list.childNodes.length - before;
}"""
WAIT_FOR_ID = """id => new Promise((done) => {
  const check = () => {
    const newest = Number(document.querySelector('.row')?.dataset.id);
    if (newest > id) done(newest);
    else requestAnimationFrame(check);
  };
  check();
})"""


@pytest.fixture
def flood_url(tmp_path: Path) -> Iterator[str]:
    """The URL of a busy host. Request this fixture before `page`."""
    port = harness.free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "tests.support.flood_host", f"--port={port}"]
    host = harness.Server(
        "flood",
        [*command, f"--data-dir={tmp_path}", f"--rate={RATE}"],
        folder=tmp_path,
        url=url,
        ready_path="/healthz",
    )
    host.restart()
    yield url
    host.terminate()


async def test_the_repeat_directive_leaves_no_nodes_of_removed_items(
    flood_url: str, page: Page
) -> None:
    await page.goto(flood_url + "/board")
    assert await page.evaluate(COUNT_LEFT_NODES) == 0


async def test_rows_stay_in_place_while_the_user_reads_older_events(
    flood_url: str, page: Page
) -> None:
    screen = await Screen(page).open(flood_url)
    newest = await page.evaluate(WAIT_FOR_ID, 200)
    await screen.list.hover()
    await page.mouse.wheel(0, 640)
    await page.locator(".pill").wait_for()
    before = await screen.ids()
    assert before[0] <= newest + RATE * 10
    await page.get_by_role("button", name="new events").wait_for()
    assert await screen.ids() == before
