"""How tests hold a page of documentation to its word: run it, compare what it shows.

A page's `sh` blocks are run in one shell; the plain block behind each is its output.
A block with a title is a file, or what runs in a terminal of its own.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

ELISION = "[...]"
BETWEEN = "=== the next command ==="
BLOCK = re.compile(r'^```(\w*)(?: title="([^"]+)")?\n(.*?)^```$', re.M | re.S)
PORT = re.compile(r"(?:--port |PORT = )(\d+)")


class Block(NamedTuple):
    """What stands between two lines of ```; language and title where it has them."""

    language: str
    title: str | None
    text: str


class Example(NamedTuple):
    """A command, and what the page says it prints (None where it says nothing).

    In a `terminal` of its own it goes on while the page is read.
    """

    command: str
    output: str | None
    terminal: str | None = None


def blocks_in(page: Path) -> list[Block]:
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [Block(language, title or None, text) for language, title, text in found]


def examples_in(page: Path) -> list[Example]:
    blocks = blocks_in(page)
    return [
        Example(block.text, _output(after), block.title)
        for block, after in zip(blocks, [*blocks[1:], None], strict=False)
        if block.language == "sh"
    ]


def files_in(page: Path) -> dict[str, str]:
    """What the reader is told to save: a title with a folder is a file of ours."""
    return {
        block.title: block.text
        for block in blocks_in(page)
        if block.language == "py" and block.title and "/" not in block.title
    }


def run_examples(
    examples: Sequence[Example],
    addresses: Mapping[str, str],
    folder: Path,
    **environ: str,
) -> list[str]:
    """What each command really prints, with `addresses` put in place of its own.

    `courtside` is that of the Python which runs the tests.
    """
    bash = shutil.which("bash")
    if bash is None or shutil.which("curl") is None:
        pytest.fail("the documentation's commands need bash and curl")
    commands = [
        _started(command, folder) if example.terminal else command
        for example in examples
        for command in [replace_addresses(example.command, addresses)]
    ]
    script = f"\necho '{BETWEEN}'\n".join(commands)
    assert "localhost" not in script
    # --norc keeps a developer's own settings out; ~/.curlrc is curl's own.
    done = subprocess.run(
        [bash, "--norc", "-c", f"trap 'kill $(jobs -p) 2>/dev/null' EXIT\n{script}"],
        capture_output=True,
        check=False,
        cwd=folder,
        env={
            "PATH": f"{Path(sys.executable).parent}:{Path(bash).parent}:/usr/local/bin:"
            "/usr/bin:/bin",
            **environ,
        },
        text=True,
        timeout=60,
    )
    assert not done.stderr
    return [text.replace("\r", "") for text in done.stdout.split(f"{BETWEEN}\n")]


def replace_addresses(text: str, addresses: Mapping[str, str]) -> str:
    for documented, real in addresses.items():
        text = text.replace(documented, real)
    return text


def matches_output(example: Example, output: str) -> bool:
    """Whether `output` is what the page shows, whatever stands for [...]."""
    shown = (example.output or "").strip()
    pattern = ".*".join(re.escape(piece) for piece in shown.split(ELISION))
    return re.fullmatch(pattern, output.strip(), re.S) is not None


def _output(after: Block | None) -> str | None:
    if after is None or after.language or after.title:
        return None
    return after.text


def _started(command: str, folder: Path) -> str:
    """Runs it beside the others, and waits until it answers at its port."""
    files = (folder / name for name in command.split() if name.endswith(".py"))
    known = [command, *(file.read_text(encoding="utf-8") for file in files)]
    port = next(found[1] for text in known if (found := PORT.search(text)))
    return f"""\
{{ exec {command.strip()}; }} >{port}.log 2>&1 &
until curl -s -o /dev/null http://127.0.0.1:{port}/; do
  kill -0 $! || {{ cat {port}.log >&2; break; }}
  sleep 0.05
done
"""
