"""The documentation site builds without warnings, and its links work.

It loads nothing from other sites.
"""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
from playwright.async_api import Browser, Request

from tests.support.harness import ROOT

BUILT = ROOT / "build" / "site"


class Page(HTMLParser):
    """What a page links to, what it loads, and what in it can be linked to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = {name: value or "" for name, value in attrs}
        self.ids |= {of[name] for name in ("id", "name") if name in of}
        if tag == "a" and "href" in of:
            self.links.append(of["href"])
        elif tag == "link" and of.get("rel") != "canonical":
            self.loads.append(of.get("href", ""))
        elif "src" in of:
            self.loads.append(of["src"])


@pytest.fixture(scope="module")
def site() -> dict[Path, Page]:
    """Its pages, built anew."""
    zensical = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    done = subprocess.run(
        zensical, cwd=ROOT, capture_output=True, check=False, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pages = (path for path in BUILT.rglob("*.html") if path.name != "404.html")
    return {path: Page(path) for path in pages}


def test_every_page_of_the_documentation_is_in_the_site(site: dict[Path, Page]) -> None:
    docs = ROOT / "docs"
    built = {str(path.relative_to(BUILT).with_suffix("")) for path in site}
    assert built == {
        str(page.relative_to(docs).with_suffix("")) for page in docs.rglob("*.md")
    }


def test_the_order_of_the_site_names_pages_that_are_there() -> None:
    order = (ROOT / "docs" / ".nav.yml").read_text(encoding="utf-8")
    for page in re.findall(r"- ([\w/-]+\.md)$", order, re.M):
        assert (ROOT / "docs" / page).exists(), page


def test_every_link_and_anchor_leads_somewhere(site: dict[Path, Page]) -> None:
    for path, page in site.items():
        for link in page.links:
            if "://" in link or link.startswith("mailto:"):
                continue
            target, anchor = urldefrag(unquote(link))
            to = (path.parent / target).resolve() if target else path
            to = to / "index.html" if to.is_dir() else to
            assert to.exists(), f"{path} links to {link}"
            if anchor:
                assert anchor in site[to].ids, f"{path} links to {link}"


def test_a_page_loads_what_is_beside_it_only(site: dict[Path, Page]) -> None:
    for path, page in site.items():
        for load in page.loads:
            assert "//" not in load, f"{path} loads {load}"
            file, _ = urldefrag(load.partition("?")[0])
            assert (path.parent / file).exists(), f"{path} loads {load}"


async def test_a_browser_reads_it_from_the_disk_and_asks_nobody(
    site: dict[Path, Page], browser: Browser
) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    page = await browser.new_page()
    page.on("request", note)
    await page.goto((BUILT / "index.html").as_uri())
    await page.get_by_role("link", name="The lesson").first.click()
    await page.get_by_role("heading", name="Streaming agents, in an hour").wait_for()
    await page.get_by_role("link", name="Your own agent").first.click()
    await page.get_by_role("heading", name="9. Your own agent").wait_for()
    await page.close()

    assert {url.partition(":")[0] for url in asked} <= {"file", "data", "blob"}
