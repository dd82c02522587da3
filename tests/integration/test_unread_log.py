"""Nobody reads the pipe that stderr of the host is. The host works, and ends."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.support.cli import COURTSIDE, environment
from tests.support.harness import READY_S, ROOT, free_port
from tests.support.waiting import wait_until_sync

pytestmark = pytest.mark.integration

END_S = 3.0


def full_pipe() -> tuple[int, int]:
    """Return the two ends of a pipe that holds as many bytes as it can."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while os.write(writing, b"x" * 65_536):
            pass
    with suppress(BlockingIOError):
        while os.write(writing, b"x"):
            pass
    os.set_blocking(writing, True)
    return reading, writing


@contextmanager
def host_with_stderr(
    fd: int, folder: Path
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Yield the process of a host without agents, and its URL."""
    port = free_port()
    config = folder / "courtside.toml"
    config.write_text("[agents.away]\nurl = 'http://127.0.0.1:1'\n", encoding="utf-8")
    with subprocess.Popen(
        [
            *COURTSIDE,
            f"--port={port}",
            f"--config={config}",
            f"--data-dir={folder}/data",
        ],
        env=environment(),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=fd,
    ) as process:
        try:
            yield process, f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def answers(client: httpx.Client) -> bool:
    with suppress(httpx.TransportError):
        return client.get("/readyz").status_code == 200
    return False


def add_and_remove_agents(client: httpx.Client, rounds: int) -> None:
    """Make the host log some lines."""
    for number in range(rounds):
        agent = {"url": f"http://127.0.0.1:1/{number}", "name": f"agent-{number}"}
        client.post("/agents", json=agent).raise_for_status()
        client.delete(f"/agents/agent-{number}").raise_for_status()


def stop(process: subprocess.Popen[bytes]) -> float:
    """Return the seconds until the host has ended. It must end with exit code 0."""
    process.send_signal(signal.SIGTERM)
    begun_at = time.monotonic()
    assert process.wait(30) == 0
    return time.monotonic() - begun_at


def test_host_answers_and_ends_although_nobody_reads_its_log(tmp_path: Path) -> None:
    reading, writing = full_pipe()
    with host_with_stderr(writing, tmp_path) as (process, url):
        os.close(writing)
        with httpx.Client(base_url=url, trust_env=False, timeout=10) as client:
            wait_until_sync(lambda: answers(client), "the host", READY_S)
            add_and_remove_agents(client, 50)
            assert client.get("/agents").status_code == 200
        took_s = stop(process)
    os.close(reading)

    assert took_s < END_S


def test_log_is_complete_when_it_is_read_late(tmp_path: Path) -> None:
    reading, writing = full_pipe()
    found: list[bytes] = []

    def read() -> None:
        while data := os.read(reading, 65_536):
            found.append(data)

    with host_with_stderr(writing, tmp_path) as (process, url):
        os.close(writing)
        with httpx.Client(base_url=url, trust_env=False, timeout=10) as client:
            wait_until_sync(lambda: answers(client), "the host", READY_S)
            add_and_remove_agents(client, 50)
        reader = threading.Thread(target=read)
        reader.start()
        stop(process)
        reader.join(30)
    os.close(reading)

    text = b"".join(found).decode().lstrip("x")
    assert text.startswith("at=")
    assert all(f"agent-{number}" in text for number in range(50))
    assert "Finished server process" in text.splitlines()[-1]
    assert "dropped_lines" not in text
