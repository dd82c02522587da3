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
    """The links, loaded files and anchors of one page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.ids |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag == "link" and values.get("rel") != "canonical":
            self.loads.append(values.get("href", ""))
        elif "src" in values:
            self.loads.append(values["src"])


@pytest.fixture(scope="module")
def site() -> dict[Path, Page]:
    """The pages of a new build."""
    zensical = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    build = subprocess.run(
        zensical, cwd=ROOT, capture_output=True, check=False, text=True, timeout=60
    )
    assert build.returncode == 0, build.stdout + build.stderr
    code = BUILT / "lesson" / "code"  # The learner's page is not a page of the site.
    return {
        path: Page(path)
        for path in BUILT.rglob("*.html")
        if path.name != "404.html" and not path.is_relative_to(code)
    }


def test_the_site_contains_every_docs_page(site: dict[Path, Page]) -> None:
    docs = ROOT / "docs"
    built = {str(path.relative_to(BUILT).with_suffix("")) for path in site}
    assert built == {
        str(page.relative_to(docs).with_suffix("")) for page in docs.rglob("*.md")
    }


def test_the_navigation_lists_only_existing_pages() -> None:
    order = (ROOT / "docs" / ".nav.yml").read_text(encoding="utf-8")
    for page in re.findall(r"- ([\w/-]+\.md)$", order, re.M):
        assert (ROOT / "docs" / page).exists(), page


def test_every_link_and_anchor_has_a_target(site: dict[Path, Page]) -> None:
    for path, page in site.items():
        for link in page.links:
            if "://" in link or link.startswith("mailto:"):
                continue
            target, anchor = urldefrag(unquote(link))
            file = (path.parent / target).resolve() if target else path
            file = file / "index.html" if file.is_dir() else file
            assert file.exists(), f"{path} links to {link}"
            if anchor:
                assert anchor in site[file].ids, f"{path} links to {link}"


def test_pages_load_only_local_files(site: dict[Path, Page]) -> None:
    for path, page in site.items():
        for load in page.loads:
            assert "//" not in load, f"{path} loads {load}"
            file, _ = urldefrag(load.partition("?")[0])
            assert (path.parent / file).exists(), f"{path} loads {load}"


async def test_a_browser_opens_the_site_from_disk_without_network_requests(
    site: dict[Path, Page], browser: Browser
) -> None:
    requested: list[str] = []

    def note_url(request: Request) -> None:
        requested.append(request.url)

    page = await browser.new_page()
    page.on("request", note_url)
    await page.goto((BUILT / "index.html").as_uri())
    await page.get_by_role("link", name="The lesson").first.click()
    await page.get_by_role("heading", name="Streaming tasks, in 45 minutes").wait_for()
    await page.get_by_role("link", name="Streaming concepts").last.click()
    await page.get_by_role("heading", name="1. Streaming concepts").wait_for()
    await page.close()

    assert {url.partition(":")[0] for url in requested} <= {"file", "data", "blob"}
