"""docs/curl.md is true: every command runs as written and prints what is shown.

The agents are real ones; only their ports are put in place of the documented ones.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.harness import AGENTS, ROOT, Stack

PAGE = ROOT / "docs" / "curl.md"
# A pause that a task can be cancelled in, and that curl -m 5 outlasts many times.
STEP_S = 0.2
ELISION = "[...]"
BETWEEN = "=== the next command ==="
EXAMPLE = re.compile(r"^```sh\n(.*?)^```\n(?:\n^```\n(.*?)^```$)?", re.M | re.S)


class Example(NamedTuple):
    """A command, and what the page says it prints (None where it says nothing)."""

    command: str
    output: str | None


def examples() -> list[Example]:
    page = PAGE.read_text(encoding="utf-8")
    return [Example(*found.groups()) for found in EXAMPLE.finditer(page)]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the commands of the page really print, run one after the other."""
    bash = shutil.which("bash")
    if bash is None or shutil.which("curl") is None:
        pytest.fail("the documentation's commands need bash and curl")
    folder = tmp_path_factory.mktemp("curl")
    with Stack(folder, with_host=False, step_s=STEP_S) as stack:
        script = f"\necho '{BETWEEN}'\n".join(e.command for e in examples())
        for port, name in enumerate(AGENTS, start=8001):
            address = stack.agent_url(name).removeprefix("http://")
            script = script.replace(f"localhost:{port}", address)
        assert "localhost" not in script
        # --norc keeps a developer's own settings out; ~/.curlrc is curl's own.
        done = subprocess.run(
            [bash, "--norc", "-c", script],
            capture_output=True,
            check=False,
            cwd=folder,
            env={"PATH": str(Path(bash).parent) + ":/usr/local/bin:/usr/bin:/bin"},
            text=True,
            timeout=60,
        )
    assert not done.stderr
    return [text.replace("\r", "") for text in done.stdout.split(f"{BETWEEN}\n")]


def test_the_page_shows_an_output_for_every_command() -> None:
    assert len(examples()) > 10
    assert all(example.output for example in examples())


@pytest.mark.parametrize("number", range(len(examples())))
def test_a_documented_command_prints_what_the_page_shows(
    number: int, outputs: list[str]
) -> None:
    shown = (examples()[number].output or "").strip()
    pattern = ".*".join(re.escape(piece) for piece in shown.split(ELISION))
    assert re.fullmatch(pattern, outputs[number].strip(), re.S), outputs[number]


@pytest.mark.parametrize("name", AGENTS)
def test_the_page_has_a_command_for_every_agent(name: str) -> None:
    port = 8001 + AGENTS.index(name)
    assert any(f"localhost:{port}" in example.command for example in examples())
