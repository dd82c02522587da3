"""The scripts in docs/task-manager.md run unchanged and print the documented output.

The agents and the host are real. Only their ports are replaced.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.doc_examples import Example, matches_output
from tests.support.harness import ROOT
from tests.support.stack import AGENTS, Stack

PAGE = (ROOT / "docs" / "task-manager.md").read_text(encoding="utf-8")
SCRIPT = re.compile(r"^```python\n(.*?)^```\n\n^```\n(.*?)^```$", re.M | re.S)
EXAMPLES = [Example(*found.groups()) for found in SCRIPT.finditer(PAGE)]
LESSON = """\
import asyncio, json
from host import TaskManager

async def main():
    async with TaskManager() as manager:
        await manager.start_task("calendar_check")
        await manager.start_task("weather_forecast")
        await manager.start_task("venue_search")
        async for update in manager.stream_all():
            print(json.dumps(update))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack"), step_s=0.1) as running:
        yield running


def run(script: str, folder: Path, **environ: str) -> str:
    """Run a script in `folder`, and return its output. It must not print to stderr."""
    done = subprocess.run(
        # A resource that is not closed or awaited gives a warning.
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        check=False,
        cwd=folder,
        encoding="utf-8",
        env={"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **environ},
        timeout=60,
    )
    assert not done.stderr
    assert done.returncode == 0
    return done.stdout


def test_lesson_example_runs_unchanged_with_the_demo_agents(
    stack: Stack, tmp_path: Path
) -> None:
    printed = run(LESSON, tmp_path, **ports(stack))

    updates = [json.loads(line) for line in printed.splitlines()]
    ended = [u["agent"] for u in updates if u.get("status") == "completed"]
    assert sorted(ended) == ["carly", "logan", "walter"]
    assert updates[-1]["status"] == "completed"
    ids = [update["id"] for update in updates]
    assert ids == sorted(set(ids))
    assert EXAMPLES[0].command == LESSON


def test_lesson_example_uses_the_agents_of_courtside_toml(
    stack: Stack, tmp_path: Path
) -> None:
    (tmp_path / "courtside.toml").write_bytes(stack.config.read_bytes())
    assert '"completed"' in run(LESSON, tmp_path)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_documented_script_prints_the_documented_output(
    number: int, stack: Stack, tmp_path: Path
) -> None:
    script = EXAMPLES[number].command.replace("http://127.0.0.1:8000", stack.url)
    script = script.replace("http://127.0.0.1:8001", stack.agent_url("carly"))
    printed = run(script, tmp_path, **ports(stack))
    assert matches_output(EXAMPLES[number], printed), printed


def test_every_script_of_the_page_is_tested() -> None:
    assert len(EXAMPLES) == PAGE.count("```python") == 3


def ports(stack: Stack) -> dict[str, str]:
    return {
        f"{name.upper()}_PORT": stack.agent_url(name).rpartition(":")[2]
        for name in AGENTS
    }
