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
# Hidden pages that Chromium opens in each window. They take a second of CPU.
HIDDEN_PAGES = ("WebUIOmniboxPopup", "WebUIOmniboxAimPopup")


def chromium_path() -> str:
    """Return the path of Chromium. Raises LookupError if it is not installed."""
    found = os.environ.get("COURTSIDE_CHROMIUM") or shutil.which("chromium")
    if not found:
        raise LookupError("no Chromium: run scripts/test, or set COURTSIDE_CHROMIUM")
    return found


def chromium_flags(*more: str, without: tuple[str, ...] = ()) -> list[str]:
    """Return the command-line flags. `without` names features to disable.

    Chromium uses only the last `--disable-features`, so this replaces Playwright's.
    """
    disabled = ",".join((*HIDDEN_PAGES, *without))
    return [*FLAGS, f"--disable-features={disabled}", *more]
