"""Fixtures of the browser tests: agents and hosts that run, and the open page.

Most tests use the bundled page. Modules that set `static` to None test the plain one.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from hatch_build import STATIC, bundle_page, find_esbuild
from tests.browser.screen import Screen
from tests.support import harness, long_history
from tests.support.scenario_server import scenario_server
from tests.support.stack import Stack

if TYPE_CHECKING:
    from playwright.async_api import Page

# A task then takes about two seconds, enough to press Stop on a busy machine.
STEP_S = 0.5
TOKEN, READ_TOKEN = "operator-0123456789", "reader-0123456789"


@pytest.fixture(autouse=True, scope="session")
def set_timeout() -> None:
    """Let `expect` wait for a busy machine. Playwright's default is 5 seconds."""
    expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """The bundled page, as in the wheel. It loads faster than 60 modules."""
    if not find_esbuild():
        return None
    folder = tmp_path_factory.mktemp("bundle")
    bundle_page(folder)
    return folder


@pytest.fixture(scope="module")
def static(bundle: Path | None) -> Path | None:
    """The page's static files. Override this with None to serve the plain modules."""
    return bundle


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, static: Path | None
) -> Iterator[Stack]:
    """The stub agents and a host."""
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, step_s=STEP_S, static=static) as running:
        yield running


@pytest.fixture(scope="module")
def odd_stack(
    tmp_path_factory: pytest.TempPathFactory, static: Path | None
) -> Iterator[Stack]:
    """A host with Carly and the scenario agent, whose tasks end in every way."""
    folder = tmp_path_factory.mktemp("odd_stack")
    scenario = scenario_server(folder)
    scenario.start()
    try:
        scenario.wait_ready(scenario.ready_url)
        extra = {"scenario": scenario.url}
        with Stack(folder, ["carly"], extra_agents=extra, static=static) as running:
            running.wait_connected("scenario")
            yield running
    finally:
        scenario.terminate(harness.STOP_S)


@pytest.fixture(scope="module")
async def long_stack(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory, static: Path | None
) -> AsyncIterator[Stack]:
    """A host whose log has ten thousand tasks of the last hour."""
    folder = tmp_path_factory.mktemp("long")
    stack = Stack(folder, ["carly"], static=static)
    await long_history.write(stack.data_dir, long_history.MANY)
    with stack:
        yield stack


@pytest.fixture(scope="module")
def locked_stack(
    tmp_path_factory: pytest.TempPathFactory, static: Path | None
) -> Iterator[Stack]:
    """Carly and a host that requires a token."""
    folder = tmp_path_factory.mktemp("locked")
    with Stack(
        folder,
        ["carly"],
        log="memory",
        host_toml=f'read_token = "{READ_TOKEN}"',
        token=TOKEN,
        static=static,
    ) as running:
        yield running


@pytest.fixture
def new_stack(tmp_path: Path, static: Path | None) -> Iterator[Stack]:
    """Carly and a host without tasks. Request this fixture before `page`."""
    with Stack(tmp_path, ["carly"], step_s=STEP_S, static=static) as running:
        yield running


@pytest.fixture(scope="session")
def page_alone(
    tmp_path_factory: pytest.TempPathFactory, bundle: Path | None
) -> Iterator[str]:
    """The URL of a server that has only the files of the page."""
    port = harness.free_port()
    module, static = "tests.support.page_server", bundle or STATIC
    server = harness.Server(
        "page",
        [sys.executable, "-m", module, str(port), static],
        folder=tmp_path_factory.mktemp("page"),
        url=f"http://127.0.0.1:{port}",
        ready_path="/",
    )
    server.restart()
    yield server.url
    server.terminate(harness.STOP_S)


@pytest.fixture
async def screen(page: Page, stack: Stack) -> Screen:
    """The open page of `stack`, with a live feed."""
    return await Screen(page).open(stack.url)
