"""Opens the page of a busy host in Chromium, for `scripts/bench page`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from playwright.async_api import Browser, CDPSession, Page, ViewportSize, expect

from tests.support.harness import NO_TLS

WIDE: ViewportSize = {"width": 1440, "height": 900}


class Setup:
    """The host of bench/page_host.py, and a browser that opens its page."""

    def __init__(self, url: str, browser: Browser) -> None:
        self.url = url
        self._browser = browser
        self._client = httpx.AsyncClient(base_url=url, timeout=600, verify=NO_TLS)

    async def play(self, **order: float) -> int:
        """Make the host append events. Return the id of the last event."""
        response = await self._client.post("/bench", json=order)
        head: int = response.raise_for_status().json()["head"]
        return head

    @asynccontextmanager
    async def page(self, throttled: int = 1) -> AsyncIterator[tuple[Page, CDPSession]]:
        """Open an empty page with an empty cache."""
        context = await self._browser.new_context(viewport=WIDE)
        page = await context.new_page()
        chromium = await context.new_cdp_session(page)
        await chromium.send("Emulation.setCPUThrottlingRate", {"rate": throttled})
        await chromium.send("Performance.enable", {"timeDomain": "threadTicks"})
        yield page, chromium
        await context.close()

    async def open(self, page: Page, path: str = "/") -> None:
        await page.goto(self.url + path)
        await expect(page.locator("#bar .link")).to_have_text("Live", timeout=60_000)
