"""Runs a host that follows an agent of list_agent.py, as processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.list_agent import ListAgent, serve_list_agent
from tests.support.stack import Stack


@contextmanager
def list_stack(agent: ListAgent, folder: Path, log: str = "memory") -> Iterator[Stack]:
    """Run a host that follows only this agent, under the name `agent`."""
    with (
        serve_list_agent(agent) as url,
        Stack(folder, [], extra_agents={"agent": url}, log=log) as stack,
    ):
        yield stack
