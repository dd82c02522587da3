"""Runs the agent that a learner writes in the lesson, on a free port."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.harness import REQUEST_S, ROOT, STOP_S, Server, free_port
from tests.support.lesson_steps import CODE

SHORT_S = "0.3"
SECONDS = re.compile(r"(?<=\(\d, )[12](?=,)|(?<=\(\d\d, )1(?=,)")


def read_code(name: str) -> dict[str, str]:
    """Return the files of `starter` or `finished`."""
    return {file.name: file.read_text("utf-8") for file in (CODE / name).glob("*.*")}


def shorten(files: Mapping[str, str]) -> dict[str, str]:
    """Return files whose agent works faster, except where the learner cancels it."""
    return {name: SECONDS.sub(SHORT_S, text) for name, text in files.items()}


@contextmanager
def learner_agent(folder: Path, files: Mapping[str, str]) -> Iterator[Server]:
    """Write the files into `folder`/my-agent, and run the agent."""
    learner = folder / "my-agent"
    learner.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (learner / name).write_text(text, encoding="utf-8")
    port = free_port()
    server = Server(
        "learner",
        [sys.executable, learner / "agent.py", f"--port={port}"],
        folder=folder,
        url=f"http://127.0.0.1:{port}",
        ready_path="/.well-known/agent-card.json",
        env={"PYTHONPATH": str(ROOT)},
    )
    server.start()
    try:
        server.wait_ready(server.ready_url)
        yield server
    finally:
        server.terminate(STOP_S)


def send(url: str, text: str, method: str = "send", **more: object) -> httpx.Response:
    """Send a message to the agent, in A2A 1.0."""
    message = {"messageId": "1", "role": "ROLE_USER", "parts": [{"text": text}]}
    return httpx.post(
        f"{url}/message:{method}",
        json={"message": message, **more},
        headers={"A2A-Version": "1.0"},
        timeout=REQUEST_S,
        trust_env=False,
    )
