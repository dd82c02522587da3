"""Runs the agents of limit_agents.py, and lets a host follow them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.harness import Server, free_port
from tests.support.host_client import HostClient


@contextmanager
def limit_agents(folder: Path) -> Iterator[str]:
    """Run all agents. Yield the URL above them."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    server = Server(
        "limit_agents",
        [sys.executable, "-m", "tests.support.limit_agents", str(port)],
        folder=folder,
        url=url,
        ready_path="/plain-at/.well-known/agent-card.json",
    )
    server.start()
    server.wait_ready(server.ready_url)
    try:
        yield url
    finally:
        server.kill()


async def follow(host: HostClient, agents_url: str, kind: str) -> tuple[str, str]:
    """Let the host follow the agents of a kind, at the limit and beyond."""
    names = f"{kind}-at", f"{kind}-beyond"
    for name in names:
        await follow_one(host, agents_url, name)
    return names


async def follow_one(host: HostClient, agents_url: str, name: str) -> None:
    body = {"name": name, "url": f"{agents_url}/{name}"}
    answer = await host.http.post("/agents", json=body)
    assert answer.status_code in (201, 409), answer.text
