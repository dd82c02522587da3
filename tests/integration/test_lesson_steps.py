"""A reader of docs/lesson/2-implementation.md does all steps, and sees what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chromium import chromium_path
from tests.support.doc_examples import Example, blocks_in, examples_in, matches_output
from tests.support.harness import ROOT, STOP_S, Server, free_port
from tests.support.lesson_steps import PAGE, TITLE, replace_mark

EXAMPLES = [example for example in examples_in(PAGE) if not example.terminal]
COMMAND_S = 180.0


class Reader:
    """Applies each code block, and restarts the agent before the next command."""

    def __init__(self, folder: Path) -> None:
        self.agent = folder / "my-agent"
        self.printed: list[str] = []
        port = free_port()
        self.server = Server(
            "learner",
            [sys.executable, self.agent / "agent.py", f"--port={port}"],
            folder=folder,
            url=f"http://127.0.0.1:{port}",
            ready_path="/.well-known/agent-card.json",
        )

    def read(self) -> None:
        """Do everything on the page, in order."""
        is_new = True
        for block in blocks_in(PAGE):
            if found := TITLE.fullmatch(block.title or ""):
                file = self.agent / found["file"]
                text = file.read_text(encoding="utf-8")
                changed = replace_mark(text, found["step"], block.text)
                file.write_text(changed, encoding="utf-8")
                is_new = True
            elif block.language == "sh" and not block.title:
                if is_new and self.agent.exists():
                    self.server.restart()
                    is_new = False
                self.printed.append(self._run(block.text))

    def _run(self, command: str) -> str:
        nowhere = f"--url {self.server.url} --host http://127.0.0.1:{free_port()}"
        for documented, real in (
            ("my-agent/", f"{self.agent}/"),
            ("http://localhost:8005", self.server.url),
            ("scripts/sse", "python -m scripts.show_events"),
            ("scripts/lesson", "python -m scripts.lesson"),
            ("start\n", f"start --folder {self.agent}\n"),
            ("check\n", f"check --folder {self.agent} {nowhere}\n"),
        ):
            command = command.replace(documented, real)
        folder = Path(sys.executable).parent
        done = subprocess.run(
            ["bash", "--norc", "-c", command],
            cwd=ROOT,
            capture_output=True,
            check=False,
            env={
                "PATH": f"{folder}:{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                "COURTSIDE_CHROMIUM": chromium_path(),
            },
            text=True,
            timeout=COMMAND_S,
        )
        assert not done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    reading = Reader(tmp_path_factory.mktemp("reader"))
    try:
        reading.read()
        yield reading
    finally:
        reading.server.terminate(STOP_S)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_command_prints_the_documented_output(reader: Reader, number: int) -> None:
    example: Example = EXAMPLES[number]

    printed = reader.printed[number]

    if example.output is not None:
        assert matches_output(example, printed), f"{example.command}printed: {printed}"


def test_reader_has_the_finished_files(reader: Reader) -> None:
    """The last command compares them."""
    assert "diff" in EXAMPLES[-1].command
    assert reader.printed[-1] == ""
