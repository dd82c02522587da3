"""Starts Chromium for tests, benchmarks and screenshots."""

from __future__ import annotations

import os
import shutil

FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-sandbox",
)
# Its own pages in each new window, which nobody sees and which take a second of CPU.
OWN_PAGES = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup")


def chromium_path() -> str:
    """Where it is, as scripts/test found it. Raises LookupError where there is none."""
    found = os.environ.get("COURTSIDE_CHROMIUM") or shutil.which("chromium")
    if not found:
        raise LookupError("no Chromium: run scripts/test, or set COURTSIDE_CHROMIUM")
    return found


def chromium_flags(*more: str, without: tuple[str, ...] = ()) -> list[str]:
    """What it is started with. `without`: features of its own, by name.

    Of several `--disable-features` it heeds the last: Playwright's own list is not.
    """
    disabled = ",".join((*OWN_PAGES, *without))
    return [*FLAGS, f"--disable-features={disabled}", *more]
