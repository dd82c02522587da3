"""Runs the commands of a documentation page and compares their output with the page.

All `sh` blocks of a page run in one shell. The plain block after a command is its
output. An `sh` block with a title runs in its own terminal. A `py` block with a title
is a file.
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
READER_FOLDER = "my-agent/"
PORT = re.compile(r"(?:--port |PORT = )(\d+)")


class Block(NamedTuple):
    """One fenced code block, with its language and title if it has them."""

    language: str
    title: str | None
    text: str


class Example(NamedTuple):
    """A command and its documented output (None if the page has none).

    With a `terminal` it keeps running during the next commands.
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
    """Return the files that readers save. Other titles with a folder are quotes."""
    return {
        block.title: block.text
        for block in blocks_in(page)
        if block.language == "py" and block.title and not is_quote(block)
    }


def is_quote(block: Block) -> bool:
    """Return whether the title is the name of a project file with this text."""
    title = block.title or ""
    return "/" in title and not title.startswith(READER_FOLDER)


def run_examples(
    examples: Sequence[Example],
    addresses: Mapping[str, str],
    folder: Path,
    **environ: str,
) -> list[str]:
    """Run the commands, and return the output of each.

    `addresses` maps documented addresses to real ones. `courtside` is the command that
    is installed beside the Python of the tests.
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
    # --norc: do not read the developer's shell settings.
    done = subprocess.run(
        [
            bash,
            "--norc",
            "-c",
            f"trap 'kill $terminals $(jobs -p) 2>/dev/null' EXIT\n{script}",
        ],
        capture_output=True,
        check=False,
        cwd=folder,
        env={
            "PATH": f"{Path(sys.executable).parent}:{Path(bash).parent}:/usr/local/bin:"
            "/usr/bin:/bin",
            **environ,
        },
        text=True,
        timeout=120,
    )
    assert not done.stderr, done.stderr
    return [text.replace("\r", "") for text in done.stdout.split(f"{BETWEEN}\n")]


def replace_addresses(text: str, addresses: Mapping[str, str]) -> str:
    for documented, real in addresses.items():
        text = text.replace(documented, real)
    return text


def matches_output(example: Example, output: str) -> bool:
    """Return whether `output` matches the page. `[...]` matches any text."""
    documented = (example.output or "").strip()
    pattern = ".*".join(re.escape(piece) for piece in documented.split(ELISION))
    return re.fullmatch(pattern, output.strip(), re.S) is not None


def _output(after: Block | None) -> str | None:
    if after is None or after.language or after.title:
        return None
    return after.text


def _started(command: str, folder: Path) -> str:
    """Return a script that starts the command and waits until its port answers."""
    files = (folder / name for name in command.split() if name.endswith(".py"))
    known = [command, *(file.read_text(encoding="utf-8") for file in files)]
    port = next(found[1] for text in known if (found := PORT.search(text)))
    return f"""\
{{ exec {command.strip()}; }} >{port}.log 2>&1 &
terminals="$terminals $!"
until curl -s -o /dev/null http://127.0.0.1:{port}/; do
  kill -0 $! || {{ cat {port}.log >&2; break; }}
  sleep 0.05
done
disown  # A later `wait` must not wait for it.
"""
