"""Promises of `courtside --demo` and `courtside URL`, with real processes."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.cli import COURTSIDE
from tests.support.harness import END_S, ROOT, Process, free_port
from tests.support.stack import AGENTS, Stack
from tests.support.waiting import wait_until_sync

START_S = 30.0


@contextmanager
def running_courtside(folder: Path, *words: str, **variables: str) -> Iterator[Process]:
    """Run `courtside` in `folder` on a free port. Waits for the page."""
    port = free_port()
    process = Process(
        "courtside",
        [*COURTSIDE, *words, f"--port={port}"],
        folder=folder,
        env={
            **{f"{name.upper()}_PORT": str(free_port()) for name in AGENTS},
            **{"PYTHONPATH": str(ROOT), "COURTSIDE_STEP_S": "0.1"},
            **variables,
        },
        cwd=folder,
    )
    process.start()
    try:
        line = f"The page is at {url_of(process)}\n"
        wait_until_sync(lambda: line in process.output(), line, START_S)
        yield process
    finally:
        if process.alive:
            process.kill()


def url_of(process: Process) -> str:
    return f"http://127.0.0.1:{process.argv[-1].removeprefix('--port=')}"


def connected_agents(process: Process) -> dict[str, str]:
    """Return the URLs of connected agents, by name."""
    rows = httpx.get(f"{url_of(process)}/agents", trust_env=False).json()["agents"]
    return {r["agent"]: r["url"] for r in rows if r["connection"] == "connected"}


def is_open(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == 0


def test_command_follows_urls_file_and_demo_and_stops_within_3_s(
    tmp_path: Path,
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    file = "[agents.logan]\nurl = 'http://127.0.0.1:9'\n"
    (tmp_path / "courtside.toml").write_text(file, encoding="utf-8")
    with ExitStack() as ends:
        stack = ends.enter_context(Stack(other, ["walter"], with_host=False))
        url = stack.agent_url("walter")
        address = url.removeprefix("http://")
        taken = address.rpartition(":")[2]
        words = (address, "--demo", "--log=memory")
        host = ends.enter_context(
            running_courtside(tmp_path, *words, WALTER_PORT=taken)
        )
        wanted = len(AGENTS) + 1  # the demo agents, and one by URL
        wait_until_sync(
            lambda: len(connected_agents(host)) == wanted, f"{wanted} agents", 30
        )
        found = connected_agents(host)
        page = httpx.get(url_of(host), trust_env=False)
        http = ends.enter_context(httpx.Client(trust_env=False))
        for stream in (f"{url_of(host)}/feed", f"{found['carly']}/tasks/stream"):
            ends.enter_context(http.stream("GET", stream))

        host.child.send_signal(signal.SIGINT)
        code = host.wait_end(END_S)

        assert code == 0
        ours = set(found.values()) - {url}
        assert not any(map(is_open, ours))
    assert found[f"agent-{taken}"] == url
    assert found["walter"] != url
    assert found["carly"] == f"http://127.0.0.1:{host.env['CARLY_PORT']}"
    assert set(found) == {"carly", "walter", "logan-demo", "nancy", f"agent-{taken}"}
    assert "<title>Courtside" in page.text


# Each case interrupts another part of the clean-up; the last one interrupts all parts.
@pytest.mark.parametrize(
    "delays_s",
    [[0.0], [0.3], [0.01] * 500],
    ids=["at once", "after 300 ms", "every 10 ms"],
)
def test_several_signals_stop_the_demo_cleanly(
    tmp_path: Path, delays_s: list[float]
) -> None:
    with ExitStack() as ends:
        host = ends.enter_context(running_courtside(tmp_path, "--demo"))
        wait_until_sync(lambda: len(connected_agents(host)) == 4, "four agents", 30)
        urls = connected_agents(host).values()
        http = ends.enter_context(httpx.Client(trust_env=False))
        for stream in (
            f"{url_of(host)}/feed",
            *(f"{url}/tasks/stream" for url in urls),
        ):
            ends.enter_context(http.stream("GET", stream))
        log = tmp_path / ".courtside" / "feed.db"
        assert Path(f"{log}-wal").exists()

        host.child.send_signal(signal.SIGINT)
        for delay_s in delays_s:
            if host.alive:
                time.sleep(delay_s)
                host.child.send_signal(signal.SIGINT)
        code = host.wait_end(END_S)

    assert code == 0
    assert "Traceback" not in host.output()
    assert "Aborted" not in host.output()
    assert not any(map(is_open, urls))
    assert not Path(f"{log}-wal").exists(), "the log was not closed"


def test_demo_agents_stop_within_3_s_after_kill_9_of_the_host(
    tmp_path: Path,
) -> None:
    with running_courtside(tmp_path, "--demo", "--log=memory") as host:
        urls = [f"http://127.0.0.1:{host.env[f'{n.upper()}_PORT']}" for n in AGENTS]
        wait_until_sync(lambda: all(map(is_open, urls)), "the agents", 30)

        host.kill()

        wait_until_sync(lambda: not any(map(is_open, urls)), "their end", END_S)
