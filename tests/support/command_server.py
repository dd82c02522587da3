"""Runs the agents of command_agents.py in a process of their own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.command_agents import NAMES
from tests.support.harness import Server, free_port


@contextmanager
def command_agents(folder: Path, *names: str) -> Iterator[dict[str, str]]:
    """Run all agents. Yield the URLs of `names`, by default of all, by name."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    server = Server(
        "command_agents",
        [sys.executable, "-m", "tests.support.command_agents", str(port)],
        folder=folder,
        url=url,
        ready_path="/newtask/.well-known/agent-card.json",
    )
    server.start()
    server.wait_ready(server.ready_url)
    try:
        yield {name: f"{url}/{name}" for name in names or NAMES}
    finally:
        server.kill()
