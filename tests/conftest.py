"""Shared fixtures. After a failed test, reports the output of its processes."""

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
# A busy machine is slow. That is not a failure.
settings.register_profile(
    "courtside", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("courtside")
# Its functions assert for several tests, and need detailed messages too.
pytest.register_assert_rewrite("tests.support.interop_agents")

LOG_VIOLATIONS = """addEventListener('securitypolicyviolation', (event) =>
    console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`))"""


def pytest_configure() -> None:
    # After a start with `&` in a shell, this process and its children ignore Ctrl-C.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Add the folder of each test as its marker: `pytest -m "not browser"`."""
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
    """Run async tests on asyncio, as the host does."""
    return "asyncio"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stub agents and a host, shared by the tests of one module.

    A test that stops one of them must start it again.
    """
    with Stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture
async def host(stack: Stack) -> AsyncIterator[HostClient]:
    """A client of the host of `stack`."""
    async with host_at(stack.url) as client:
        yield client


@pytest.fixture(scope="module")
async def browser(anyio_backend: str) -> AsyncIterator[Browser]:
    """One headless Chromium for the tests of one module.

    It cannot live for the whole run: while an async fixture is active, plain tests
    cannot call `anyio.run`.
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

    A test that expects errors lists them as regular expressions:
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
    await context.add_init_script(LOG_VIOLATIONS)
    fresh = await context.new_page()
    fresh.on("console", on_console)
    fresh.on("pageerror", lambda error: note(f"uncaught: {error}"))
    yield fresh
    await context.close()
    assert not errors, "errors on the browser console:\n" + "\n".join(errors)
