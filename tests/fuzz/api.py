"""How the host's HTTP API is fuzzed: Schemathesis asks what /openapi.json describes.

test_api.py asks little, scripts/fuzz much. The agent behind it is a real, quick carly.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.support.harness import Stack

CONFIG = Path(__file__).with_name("schemathesis.toml")
STEP_S = 0.005  # Positive messages start real tasks.


class Fuzzed(NamedTuple):
    """How many requests were made, and all that was said of them."""

    requests: int
    is_well: bool
    report: str


def fuzzed(folder: Path, *options: str, deadline_s: float = 120) -> Fuzzed:
    """Asks a host of its own; `options` are those of `schemathesis run`."""
    with Stack(folder, ["carly"], step_s=STEP_S) as stack:
        done = subprocess.run(
            [
                *(Path(sys.executable).with_name("schemathesis"), "--no-color"),
                *("--config-file", CONFIG, "run", f"{stack.url}/openapi.json"),
                *options,
            ],
            capture_output=True,
            check=False,
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "NO_PROXY": "127.0.0.1", "HOME": str(folder)},
            text=True,
            timeout=deadline_s,
        )
        told = stack.host.output()
        well = stack.host.alive and "Traceback" not in told
    requests = re.search(r"(\d+) generated", done.stdout)
    report = done.stdout + done.stderr + ("" if well else f"\nthe host said:\n{told}")
    count = int(requests[1]) if requests else 0
    return Fuzzed(count, well and done.returncode == 0, report)
