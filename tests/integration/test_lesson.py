"""docs/lesson/ is true: whoever follows it sees what it shows.

The pages are read from the first to the last, in a folder of the reader's own, beside a
real `scripts/start`. Only ports and times are put in place of the documented ones.
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
    in_place,
    printed_by,
    prints,
)
from tests.support.harness import (
    ROOT,
    SEED_AGENTS,
    STOP_S,
    Process,
    free_port,
    wait_until,
)
from tests.support.lesson import LESSON, PAGES

STEP_S = "0.1"
START_S = 30.0
FEED_S = "0.7"
"""Long enough for a reader to be told what has been, and of what is to come enough."""


class Reader:
    """Somebody who has the project and does what the pages say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # 8000 is the host, 8001 to 8004 are the lesson's agents, the rest the reader's.
        self.ports = {port: free_port() for port in range(8000, 8009)}
        self.printed: dict[str, list[str]] = {}

    @property
    def host(self) -> str:
        return f"http://127.0.0.1:{self.ports[8000]}"

    def start(self) -> Process:
        """What the first page has terminal 1 do."""
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
        said = in_place(start.output or "", {"http://127.0.0.1:8000": self.host})
        wait_until(lambda: said in started.output(), START_S, f"the line {said}")
        return started

    def read(self, page: str) -> None:
        """Save its files and run its commands."""
        real = self._real()
        for name, text in files_in(LESSON / f"{page}.md").items():
            (self.folder / name).write_text(in_place(text, real), encoding="utf-8")
        self.printed[page] = printed_by(
            to_do(page), real, self.folder, COURTSIDE_STEP_S=STEP_S
        )

    def _real(self) -> dict[str, str]:
        """What stands on the pages, and what it is here."""
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
def test_a_command_of_the_lesson_prints_what_its_page_shows(
    reader: Reader, page: str, number: int
) -> None:
    example, printed = to_do(page)[number], reader.printed[page][number]

    assert prints(example, printed), f"{example.command}printed: {printed}"


@pytest.mark.parametrize("name", ["rosa", "otto"])
def test_a_newcomer_has_an_agent_of_their_own_in_the_feed(
    reader: Reader, name: str
) -> None:
    query = f"agent={name}&kind=task&status=completed"
    feed = httpx.get(f"{reader.host}/feed.ndjson?{query}", trust_env=False)

    assert feed.text.count('"status":"completed"') == 1
