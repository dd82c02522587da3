"""How tests run `courtside`: as a process of its own, to its end, or until they end it.

Against hosts of harness.py's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.harness import ROOT

COURTSIDE = (sys.executable, "-m", "host")


def environment(**variables: str) -> Mapping[str, str]:
    """What it needs of this process's, and `variables`."""
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
    """Runs it to its end."""
    return subprocess.run(
        [*COURTSIDE, *words],
        capture_output=True,
        check=False,
        cwd=cwd,
        encoding="utf-8",
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        timeout=30,
    )


@contextmanager
def running(*words: str | Path, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """Runs it until the block ends, with pipes to read."""
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
