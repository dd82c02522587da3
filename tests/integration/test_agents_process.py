"""The process of an agent: its start, its log and its end.

`python -m agents NAME`, as the Procfile and users start it.
"""

from __future__ import annotations

import signal
import socket
import sys
import time
from pathlib import Path

import anyio
import httpx
import pytest

from tests.support.a2a_client import agent_at, states, texts
from tests.support.harness import Process, Server, free_port
from tests.support.scenario_server import scenario_server
from tests.support.stack import AGENTS, Stack
from tests.support.waiting import wait_until

STOP_S = 2.0


def agent(folder: Path, *arguments: str, **env: str) -> Process:
    return Process(
        "agent", [sys.executable, "-m", "agents", *arguments], folder=folder, env=env
    )


def agent_on(port: int, folder: Path, step_s: float = 30) -> Server:
    """Return Carly, so slow that her tasks still run when a test ends."""
    return Server(
        "carly",
        [
            sys.executable,
            "-m",
            "agents",
            "carly",
            f"--port={port}",
            f"--step-s={step_s}",
        ],
        folder=folder,
        url=f"http://127.0.0.1:{port}",
        ready_path="/.well-known/agent-card.json",
    )


def test_unknown_name_lists_the_stubs(tmp_path: Path) -> None:
    process = agent(tmp_path, "bob")
    process.start()
    assert process.wait_end() == 2
    assert "there is no agent 'bob'; choose one of: " in process.output()
    assert ", ".join(AGENTS) in process.output()


def test_port_in_use_is_reported_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = agent(tmp_path, "walter", WALTER_PORT=str(port))
        process.start()
        assert process.wait_end() == 1
    assert process.output() == (
        f"walter: port {port} on 127.0.0.1 is already in use; stop what uses it "
        "or choose another with --port (or WALTER_PORT)\n"
    )


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
async def test_signal_ends_an_agent_with_open_streams_within_2_s(
    how: signal.Signals, tmp_path: Path
) -> None:
    server = agent_on(free_port(), tmp_path)
    server.restart()
    ended: list[str] = []
    async with agent_at(server.url) as carly, anyio.create_task_group() as tasks:

        async def read(method: str, path: str) -> None:
            async with carly.http.stream(method, path) as answer:
                await answer.aread()  # raises if the stream is cut off
            ended.append(path)

        async def wait_for_the_result() -> None:
            answer = await carly.send("calendar")
            ended.append(answer.json()["task"]["status"]["state"])

        async def everything_is_open() -> bool:
            return len(await carly.tasks(status="TASK_STATE_WORKING")) == 2

        task_id = await carly.start("calendar")
        subscription = f"/tasks/{task_id}:subscribe"
        tasks.start_soon(read, "GET", "/tasks/stream")
        tasks.start_soon(read, "POST", subscription)
        tasks.start_soon(wait_for_the_result)
        await wait_until(everything_is_open, "the second task", 30)
        began = time.monotonic()
        server.child.send_signal(how)
    took_s = time.monotonic() - began
    assert server.wait_end(STOP_S) == 0
    assert took_s < STOP_S
    assert sorted(ended) == sorted(
        ["/tasks/stream", subscription, "TASK_STATE_WORKING"]
    )
    assert "ERROR" not in server.output()
    assert "Traceback" not in server.output()
    assert server.output().endswith("event=stopped\n")


@pytest.mark.parametrize("gap_s", [0.0, 0.001, 0.01, 0.1, 0.3])
async def test_two_quick_interrupts_end_an_agent_cleanly(
    gap_s: float, tmp_path: Path
) -> None:
    """Ctrl-C reaches an agent from the terminal and from its process manager."""
    server = agent_on(free_port(), tmp_path)
    server.restart()
    opened, ended = anyio.Event(), anyio.Event()
    async with agent_at(server.url) as carly, anyio.create_task_group() as tasks:

        async def read() -> None:
            async with carly.http.stream("GET", "/tasks/stream") as answer:
                opened.set()
                await answer.aread()  # raises if the stream is cut off
            ended.set()

        tasks.start_soon(read)
        await opened.wait()
        server.child.send_signal(signal.SIGINT)
        await anyio.sleep(gap_s)  # not a wait: the test varies the moment of the signal
        server.child.send_signal(signal.SIGINT)
    assert ended.is_set()
    assert server.wait_end(STOP_S) == 0
    assert "Traceback" not in server.output()
    assert server.output().endswith("event=stopped\n")


def test_many_signals_end_an_agent_with_exit_code_0(tmp_path: Path) -> None:
    server = agent_on(free_port(), tmp_path)
    server.restart()
    while server.alive:
        server.child.send_signal(signal.SIGINT)
        server.child.send_signal(signal.SIGTERM)
        time.sleep(0.002)
    assert server.wait_end() == 0
    assert "Traceback" not in server.output()


@pytest.mark.parametrize("pause_s", [0.0, 0.1, 0.2, 0.3])
def test_signal_during_the_start_ends_an_agent_quietly(
    pause_s: float, tmp_path: Path
) -> None:
    server = agent_on(free_port(), tmp_path)
    server.fresh = True  # A new interpreter gets the signal during its imports.
    server.start()

    def listening() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", int(server.url.rsplit(":")[-1]))) == 0

    began = time.monotonic()
    while not listening():
        assert time.monotonic() < began + 30
    time.sleep(pause_s)  # not a wait: the test varies the moment of the signal
    server.child.terminate()
    assert server.wait_end(STOP_S) == 0
    assert "Traceback" not in server.output()


def test_log_has_one_line_per_state_change(tmp_path: Path) -> None:
    with Stack(tmp_path, ["nancy"], with_host=False) as stack:
        nancy = stack.agents["nancy"]
        answer = httpx.post(
            f"{nancy.url}/message:send",
            json={
                "message": {
                    "messageId": "m",
                    "role": "ROLE_USER",
                    "parts": [{"text": "Send it"}],
                }
            },
            headers={"A2A-Version": "1.0"},
            trust_env=False,
        )
        task_id = answer.json()["task"]["id"]
    lines = [line for line in nancy.output().splitlines() if task_id in line]
    assert lines == [
        f"agent=nancy level=INFO task={task_id} state=TASK_STATE_{state}"
        for state in ("SUBMITTED", "WORKING", "COMPLETED")
    ]


def test_every_agent_listens_on_loopback_only(tmp_path: Path) -> None:
    """Read the kernel's table, because the machine may have no other address."""
    with Stack(tmp_path, with_host=False) as stack:
        for name in AGENTS:
            port = int(stack.agents[name].url.rsplit(":")[-1])
            listening = [
                line.split()[1]
                for table in ("/proc/net/tcp", "/proc/net/tcp6")
                for line in Path(table).read_text().splitlines()[1:]
                if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
            ]
            assert listening == [f"0100007F:{port:04X}"]


async def test_crash_in_a_script_fails_only_its_task(
    tmp_path: Path,
) -> None:
    server = scenario_server(tmp_path)
    server.restart()
    async with agent_at(server.url) as scenario:
        crashed = await scenario.stream(skill="crashing")
        done = await scenario.stream(skill="steady")
    assert states(crashed)[-1] == "TASK_STATE_FAILED"
    assert "broke inside Scenario (ZeroDivisionError" in texts(crashed)[-1]
    assert states(done)[-1] == "TASK_STATE_COMPLETED"
    assert server.terminate() == 0
    assert "ZeroDivisionError: division by zero" in server.output()
    assert server.output().count("Traceback") == 1
