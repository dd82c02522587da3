"""Fixtures of the browser tests: a stack slow enough to watch, and the page on it.

screen.py says what a person sees and does there.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.screen import Screen
from tests.support import harness, long_history
from tests.support.stack import Stack

if TYPE_CHECKING:
    from playwright.async_api import Page

# A task then lasts about two seconds: time to press Stop on a busy machine.
STEP_S = 0.5


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stubs and a host."""
    folder = tmp_path_factory.mktemp("stack")
    with Stack(folder, step_s=STEP_S) as running:
        yield running


@pytest.fixture(scope="module")
def odd_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Carly and the scenario agent, whose tasks end in every possible way."""
    folder = tmp_path_factory.mktemp("odd_stack")
    port = harness.free_port()
    scenario = harness.Server(
        "scenario",
        [sys.executable, "-m", "tests.support.scenario_agent", str(port)],
        folder=folder,
        url=f"http://127.0.0.1:{port}",
        ready_path="/.well-known/agent-card.json",
    )
    scenario.start()
    try:
        scenario.wait_ready(scenario.ready_url)
        extra = {"scenario": scenario.url}
        with Stack(folder, ["carly"], extra_agents=extra) as running:
            running.wait_connected("scenario")
            yield running
    finally:
        scenario.terminate()


@pytest.fixture(scope="module")
async def long_stack(
    anyio_backend: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stack]:
    """A host whose log has ten thousand tasks of the last hour."""
    stack = Stack(tmp_path_factory.mktemp("long"), ["carly"])
    await long_history.write(stack.data_dir, long_history.MANY)
    with stack:
        yield stack


@pytest.fixture
def new_stack(tmp_path: Path) -> Iterator[Stack]:
    """Carly and a host without tasks. Request this fixture before `page`."""
    with Stack(tmp_path, ["carly"], step_s=STEP_S) as running:
        yield running


@pytest.fixture(scope="session")
def page_alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that only has the page's files."""
    port = harness.free_port()
    server = harness.Server(
        "page",
        [
            sys.executable,
            "-m",
            "uvicorn",
            "--factory",
            f"--port={port}",
            "dashboard.app:create_app",
        ],
        folder=tmp_path_factory.mktemp("page"),
        url=f"http://127.0.0.1:{port}",
        ready_path="/",
    )
    server.restart()
    yield server.url
    server.terminate()


@pytest.fixture
async def screen(page: Page, stack: Stack) -> Screen:
    """The page of `stack`, live."""
    return await Screen(page).open(stack.url)
