"""How tests hold a page of documentation to its word: run it, compare what it shows.

A page's `sh` blocks are run in one shell; the block behind each is what it prints.
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
EXAMPLE = re.compile(r"^```sh\n(.*?)^```\n(?:\n^```\n(.*?)^```$)?", re.M | re.S)


class Example(NamedTuple):
    """A command, and what the page says it prints (None where it says nothing)."""

    command: str
    output: str | None


def examples_in(page: Path) -> list[Example]:
    text = page.read_text(encoding="utf-8")
    return [Example(*found.groups()) for found in EXAMPLE.finditer(text)]


def printed_by(
    examples: Sequence[Example], addresses: Mapping[str, str], folder: Path
) -> list[str]:
    """What each command really prints, with `addresses` put in place of its own.

    `courtside` is that of the Python which runs the tests.
    """
    bash = shutil.which("bash")
    if bash is None or shutil.which("curl") is None:
        pytest.fail("the documentation's commands need bash and curl")
    script = f"\necho '{BETWEEN}'\n".join(example.command for example in examples)
    for documented, real in addresses.items():
        script = script.replace(documented, real)
    assert "localhost" not in script
    # --norc keeps a developer's own settings out; ~/.curlrc is curl's own.
    done = subprocess.run(
        [bash, "--norc", "-c", script],
        capture_output=True,
        check=False,
        cwd=folder,
        env={
            "PATH": f"{Path(sys.executable).parent}:{Path(bash).parent}:/usr/local/bin:"
            "/usr/bin:/bin"
        },
        text=True,
        timeout=60,
    )
    assert not done.stderr
    return [text.replace("\r", "") for text in done.stdout.split(f"{BETWEEN}\n")]


def prints(example: Example, output: str) -> bool:
    """Whether `output` is what the page shows, whatever stands for [...]."""
    shown = (example.output or "").strip()
    pattern = ".*".join(re.escape(piece) for piece in shown.split(ELISION))
    return re.fullmatch(pattern, output.strip(), re.S) is not None
