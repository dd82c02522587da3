"""Fuzzes the host's HTTP API: Schemathesis sends requests that /openapi.json describes.

The agent behind the host is a real, fast Carly.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.support.stack import Stack

CONFIG = Path(__file__).with_name("schemathesis.toml")
STEP_S = 0.005  # Positive messages start real tasks.


class FuzzResult(NamedTuple):
    """The number of requests, whether all went well, and the report."""

    requests: int
    is_ok: bool
    report: str


def fuzz_api(folder: Path, *options: str, deadline_s: float = 120) -> FuzzResult:
    """Start a host and fuzz it. `options` are those of `schemathesis run`."""
    with Stack(folder, ["carly"], step_s=STEP_S) as stack:
        done = subprocess.run(
            [
                Path(sys.executable).with_name("schemathesis"),
                "--no-color",
                "--config-file",
                CONFIG,
                "run",
                f"{stack.url}/openapi.json",
                *options,
            ],
            capture_output=True,
            check=False,
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "NO_PROXY": "127.0.0.1", "HOME": str(folder)},
            text=True,
            timeout=deadline_s,
        )
        output = stack.host.output()
        is_ok = stack.host.alive and "Traceback" not in output
    requests = re.search(r"(\d+) generated", done.stdout)
    report = done.stdout + done.stderr
    if not is_ok:
        report += f"\noutput of the host:\n{output}"
    count = int(requests[1]) if requests else 0
    return FuzzResult(count, is_ok and done.returncode == 0, report)
