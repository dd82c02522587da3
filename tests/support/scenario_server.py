"""Creates the process of scenario_agent.py."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.harness import Server, free_port


def scenario_server(folder: Path) -> Server:
    """Return the process, which is not started yet."""
    port = free_port()
    return Server(
        "scenario",
        [sys.executable, "-m", "tests.support.scenario_agent", str(port)],
        folder=folder,
        url=f"http://127.0.0.1:{port}",
        ready_path="/.well-known/agent-card.json",
    )
