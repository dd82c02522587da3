"""Checks pages with axe-core, in both colour schemes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pytest

from tests.support.harness import ROOT

if TYPE_CHECKING:
    from playwright.async_api import Page

Scheme: TypeAlias = Literal["light", "dark"]

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
HAS_AXE = AXE.exists()

each_scheme = pytest.mark.parametrize("scheme", ["light", "dark"])
needs_axe = pytest.mark.skipif(not HAS_AXE, reason="needs axe-core: run npm ci")


async def find_violations(page: Page) -> list[str]:
    """Return the violations that axe-core finds on the current page."""
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    # Without `preload`: it copies imported sheets into <style>, which the CSP refuses.
    # With `resultTypes`: to describe the passed checks takes as long as all checks.
    run = "() => axe.run({ preload: false, resultTypes: ['violations'] })"
    found: dict[str, Any] = await page.evaluate(run)
    return [
        f"{rule['id']}: {node['html']} {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


async def measure_width(page: Page) -> int:
    """Return the width of the page's content in CSS pixels."""
    width: int = await page.evaluate("document.documentElement.scrollWidth")
    return width
