"""The commands in docs/lesson/ print the documented output.

They run in the order of the pages, in a new folder, beside a real `scripts/start`. Only
ports and times are replaced.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from agents.stubs import STUBS
from tests.support.doc_examples import (
    Example,
    examples_in,
    files_in,
    matches_output,
    replace_addresses,
    run_examples,
)
from tests.support.harness import ROOT, STOP_S, Process, free_port
from tests.support.lesson import LESSON, PAGES
from tests.support.stack import SEED_AGENTS
from tests.support.waiting import wait_until_sync

STEP_S = "0.1"
START_S = 30.0
FEED_S = "0.7"
"""Long enough for a feed command to print past events and some new ones."""


class Reader:
    """A user with a clone of the project, who follows the pages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # 8000: the host. 8001 to 8004: agents of the lesson. Others: the user's agents.
        self.ports = {port: free_port() for port in range(8000, 8009)}
        self.printed: dict[str, list[str]] = {}

    @property
    def host(self) -> str:
        return f"http://127.0.0.1:{self.ports[8000]}"

    def start(self) -> Process:
        """Run the command of the first page for terminal 1."""
        (self.folder / ".venv").symlink_to(sys.prefix)
        ports = {"COURTSIDE": self.ports[8000]}
        for name, stub in STUBS.items():
            in_lesson = name in SEED_AGENTS
            ports[name.upper()] = self.ports[stub.port] if in_lesson else free_port()
        (start,) = (e for e in examples_in(LESSON / "start.md") if e.terminal)
        started = Process(
            "start",
            [ROOT / start.command.strip()],
            folder=self.folder,
            env={
                **{f"{name}_PORT": str(port) for name, port in ports.items()},
                "COURTSIDE_DATA_DIR": str(self.folder / "data"),
                "COURTSIDE_STEP_S": STEP_S,
            },
            own_group=True,
        )
        started.start()
        line = replace_addresses(
            start.output or "", {"http://127.0.0.1:8000": self.host}
        )
        wait_until_sync(lambda: line in started.output(), f"the line {line}", START_S)
        return started

    def read(self, page: str) -> None:
        """Save its files and run its commands."""
        real = self._real()
        for name, text in files_in(LESSON / f"{page}.md").items():
            (self.folder / name).write_text(
                replace_addresses(text, real), encoding="utf-8"
            )
        self.printed[page] = run_examples(
            to_do(page), real, self.folder, COURTSIDE_STEP_S=STEP_S
        )

    def _real(self) -> dict[str, str]:
        """Map documented texts to their replacements in this test."""
        real = {"-m 2 ": f"-m {FEED_S} ", "localhost:{PORT}": "127.0.0.1:{PORT}"}
        for documented, port in self.ports.items():
            real[f"localhost:{documented}"] = f"127.0.0.1:{port}"
            real[f"--port {documented}"] = f"--port {port}"
            real[f"PORT = {documented}"] = f"PORT = {port}"
        return real


def to_do(page: str) -> list[Example]:
    examples = examples_in(LESSON / f"{page}.md")
    return [example for example in examples if example.terminal != "terminal 1"]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    if not (ROOT / ".venv/installed").exists():
        pytest.skip("needs the installation of scripts/test in .venv")
    reading = Reader(tmp_path_factory.mktemp("reader"))
    started = reading.start()
    try:
        for page in PAGES:
            reading.read(page)
        yield reading
    finally:
        os.killpg(started.pid, signal.SIGINT)
        started.wait_end(STOP_S)


@pytest.mark.parametrize(
    ("page", "number"), [(page, n) for page in PAGES for n in range(len(to_do(page)))]
)
def test_command_prints_the_documented_output(
    reader: Reader, page: str, number: int
) -> None:
    example, printed = to_do(page)[number], reader.printed[page][number]

    assert matches_output(example, printed), f"{example.command}printed: {printed}"


@pytest.mark.parametrize("name", ["rosa", "otto"])
def test_agent_of_the_user_is_in_the_feed(reader: Reader, name: str) -> None:
    query = f"agent={name}&kind=task&status=completed"
    feed = httpx.get(f"{reader.host}/feed.ndjson?{query}", trust_env=False)

    assert feed.text.count('"status":"completed"') == 1
