"""Runs the `courtside` command in a process, to its end or until the test ends it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.harness import ROOT

COURTSIDE = (sys.executable, "-m", "host")


def environment(**variables: str) -> Mapping[str, str]:
    """Return the environment of the command, with `variables` added."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
        "TZ": "UTC",
        **variables,
    }


def courtside(
    *words: str | Path, cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [*COURTSIDE, *words],
        capture_output=True,
        check=False,
        cwd=cwd,
        encoding="utf-8",
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


def run_in_terminal(*words: str, until: bytes, **variables: str) -> bytes:
    """Run the command in a terminal until it has printed `until`. Return the output.

    Raises OSError if the command ends before.
    """
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*COURTSIDE, *words],
        env=environment(TERM="xterm-256color", **variables),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(theirs)
        output = b""
        try:
            while until not in output:
                output += os.read(ours, 4096)
        finally:
            process.kill()
            os.close(ours)
    return output


@contextmanager
def running(*words: str | Path, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command until the block ends. Its output goes to pipes."""
    with subprocess.Popen(
        [*COURTSIDE, *words],
        encoding="utf-8",
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()
