"""Owns the promises of the dashboard's ASGI app: links, caching and safety headers."""

from __future__ import annotations

import re
import subprocess
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from dashboard.app import HERE, create_app


@pytest.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    """What a browser asks, of the page mounted below a base path."""
    app = Starlette(routes=[Mount("/base", create_app())])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test/base/"
    ) as client:
        yield client


async def test_every_link_of_the_page_works_under_a_base_path(
    browser: httpx.AsyncClient,
) -> None:
    page = await browser.get("")
    links = re.findall(r'(?:href|src)="([^"]+)"', page.text)
    files = [link for link in links if link.startswith("static/")]
    assert len(files) > 20
    assert not [link for link in links if link.startswith(("/", "http"))]
    for link in files:
        answer = await browser.get(link)
        assert answer.status_code == 200, link


async def test_every_module_is_preloaded_once(browser: httpx.AsyncClient) -> None:
    page = await browser.get("")
    preloaded = re.findall(r'rel="modulepreload" href="static/([^"]+)"', page.text)
    modules = [p.relative_to(HERE / "static") for p in HERE.rglob("static/**/*.js")]
    assert sorted(preloaded) == sorted(path.as_posix() for path in modules)


@pytest.mark.parametrize("path", ["", "static/main.js", "static/nowhere.js"])
async def test_every_answer_carries_the_safety_headers(
    browser: httpx.AsyncClient, path: str
) -> None:
    headers = (await browser.get(path)).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["", "static/main.js", "static/page.css"])
async def test_what_did_not_change_is_asked_for_but_not_sent_again(
    browser: httpx.AsyncClient, path: str
) -> None:
    first = await browser.get(path)
    assert first.headers["cache-control"] == "no-cache"
    again = await browser.get(path, headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.headers["cache-control"] == "no-cache"
    assert again.content == b""


async def test_the_page_has_no_inline_script_or_style(
    browser: httpx.AsyncClient,
) -> None:
    page = (await browser.get("")).text
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", page)
    assert "<h1>Courtside</h1>" in page
    assert "<noscript>" in page


def test_the_vendored_modules_are_the_ones_that_are_listed() -> None:
    check = HERE / "static" / "vendor" / "refresh.sh"
    done = subprocess.run([check, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
