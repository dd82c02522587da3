"""The commands in docs/lesson/ print the documented output.

They run in the order of the pages, in a clone of the project, beside a real
`scripts/start` and the finished agent of phase 2. Only ports and times are replaced.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import httpx
import pytest

from tests.support.doc_examples import matches_output
from tests.support.harness import ROOT, STOP_S
from tests.support.lesson import MINUTES
from tests.support.lesson_reader import Reader, to_do

PAGES = [
    "1-concepts",
    "3-testing",
    "repetition",
    "next",
    "assessment",
    "going-further/index",
    *MINUTES,
    "teacher",
]
"""In this order: the last page removes everything."""


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    if not (ROOT / ".venv/installed").exists():
        pytest.skip("needs the installation of scripts/test in .venv")
    reading = Reader(tmp_path_factory.mktemp("reader"))
    reading.clone()
    started = reading.start()
    learner = None
    try:
        reading.read("1-concepts")
        learner = reading.build_agent()
        reading.answer_quiz()
        clicker = reading.click_cancel()
        reading.read("3-testing")
        clicker.join(STOP_S)
        for page in PAGES[2:]:
            reading.read(page)
        yield reading
    finally:
        if learner:
            learner.terminate(STOP_S)
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
