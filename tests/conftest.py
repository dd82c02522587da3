"""Fixtures that every test may use, and the output of processes when one fails.

What they start comes from harness.py.
"""

from __future__ import annotations

import re
import signal
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.support import harness
from tests.support.chromium import chromium_flags, chromium_path
from tests.support.host_client import HostClient, host_at
from tests.support.stack import Stack

if TYPE_CHECKING:
    from playwright.async_api import Browser, ConsoleMessage, Page

HERE = Path(__file__).parent
# What is slow on a busy machine is not wrong.
settings.register_profile(
    "courtside", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("courtside")
# These assert for several tests: what differed must be said there, too.
pytest.register_assert_rewrite("tests.support.interop_agents")

SAY_VIOLATIONS = """addEventListener('securitypolicyviolation', (event) =>
    console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`))"""


def pytest_configure() -> None:
    # What a shell starts with & ignores Ctrl-C, and so would all that tests start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test's folder is its marker: `pytest -m "not browser"`."""
    for item in items:
        folder = item.path.relative_to(HERE).parts[0]
        item.add_marker(folder)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[
    None, pytest.TestReport, pytest.TestReport
]:
    report = yield
    if report.failed:
        for process in harness.live_processes:
            report.sections.append((f"output of {process.name}", process.output()))
    return report


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Every async test runs on asyncio, where the product runs."""
    return "asyncio"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stubs and a host, shared by the tests of one module.

    A test that ends or restarts one of them brings it back before it returns.
    """
    with Stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture
async def host(stack: Stack) -> AsyncIterator[HostClient]:
    """What speaks to the host of the module's `stack`."""
    async with host_at(stack.url) as client:
        yield client


@pytest.fixture(scope="module")
async def browser(anyio_backend: str) -> AsyncIterator[Browser]:
    """One headless Chromium for the tests of one module.

    Not for the whole run: while an async fixture lives, no plain test may call
    `anyio.run`.
    """
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(
            executable_path=chromium_path(), args=chromium_flags()
        )
        yield running
        await running.close()


@pytest.fixture
async def page(browser: Browser, request: pytest.FixtureRequest) -> AsyncIterator[Page]:
    """A fresh browser page. The test fails on any console error or CSP violation.

    A test that provokes some says which, as regular expressions:
    `@pytest.mark.console_errors(r"net::ERR_CONNECTION_REFUSED")`.
    """
    marker = request.node.get_closest_marker("console_errors")
    expected = [re.compile(pattern) for pattern in (marker.args if marker else ())]
    errors: list[str] = []

    def note(text: str) -> None:
        if not any(pattern.search(text) for pattern in expected):
            errors.append(text)

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            note(f"{message.type}: {message.text} ({message.location.get('url')})")

    context = await browser.new_context()
    context.set_default_timeout(30_000)
    await context.add_init_script(SAY_VIOLATIONS)
    fresh = await context.new_page()
    fresh.on("console", on_console)
    fresh.on("pageerror", lambda error: note(f"uncaught: {error}"))
    yield fresh
    await context.close()
    assert not errors, "the page's console says:\n" + "\n".join(errors)
