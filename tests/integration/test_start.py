"""`scripts/start`, run as a new user runs it.

Its five processes get free ports. It uses the existing installation in .venv.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support import harness
from tests.support.harness import ROOT, Process, free_port
from tests.support.stack import AGENTS
from tests.support.waiting import wait_until_sync

VARIABLES = [*(f"{name.upper()}_PORT" for name in AGENTS), "COURTSIDE_PORT"]
START_S = 30.0
SECOND_START_S = 5.0


@pytest.fixture(scope="module", autouse=True)
def require_installation() -> None:
    """Skip without an installation, because scripts/start would create it."""
    if not (ROOT / ".venv/installed").exists():
        pytest.skip("needs the installation of scripts/test in .venv")


def start(folder: Path, *, cwd: Path = ROOT, **ports: int) -> Process:
    """Return scripts/start, not yet running, on the given or on free ports."""
    chosen = {variable: str(free_port()) for variable in VARIABLES}
    chosen |= {variable: str(port) for variable, port in ports.items()}
    chosen |= {"COURTSIDE_DATA_DIR": str(folder / "data"), "COURTSIDE_STEP_S": "0.2"}
    return Process(
        "start",
        [ROOT / "scripts/start"],
        folder=folder,
        env=chosen,
        cwd=cwd,
        own_group=True,
    )


def page_of(running: Process) -> str:
    return f"http://127.0.0.1:{running.env['COURTSIDE_PORT']}"


def wait_announced(running: Process) -> None:
    line = f"Courtside is at {page_of(running)}"

    def announced() -> bool:
        assert running.alive, running.output()
        return line in running.output()

    wait_until_sync(announced, "scripts/start to say where the page is", START_S)


def open_ports(running: Process) -> list[str]:
    """Return the variables whose ports still accept connections."""
    found = []
    for variable in VARIABLES:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", int(running.env[variable]))) == 0:
                found.append(variable)
    return found


@contextlib.contextmanager
def open_streams(running: Process) -> Iterator[None]:
    """A feed reader on the host and a plain SSE reader on each agent."""
    urls = [f"{page_of(running)}/feed"]
    urls += [
        f"http://127.0.0.1:{running.env[f'{name.upper()}_PORT']}/tasks/stream"
        for name in AGENTS
    ]
    with contextlib.ExitStack() as streams:
        client = streams.enter_context(httpx.Client(trust_env=False, timeout=10.0))
        for url in urls:
            response = streams.enter_context(client.stream("GET", url))
            assert response.status_code == 200, url
        yield


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_ends_all_five_within_3_s_with_streams_open(
    tmp_path: Path, how: signal.Signals
) -> None:
    running = start(tmp_path, cwd=tmp_path)
    running.start()
    wait_announced(running)

    with open_streams(running):
        asked = time.monotonic()
        os.killpg(running.pid, how)
        code = running.wait_end(harness.END_S)
        took_s = time.monotonic() - asked

    assert code == 128 + how
    assert open_ports(running) == []
    assert took_s < harness.END_S


def test_more_signals_end_all_five_cleanly(tmp_path: Path) -> None:
    running = start(tmp_path, cwd=tmp_path)
    running.start()
    wait_announced(running)

    with open_streams(running):
        deadline = time.monotonic() + harness.END_S
        while running.alive and time.monotonic() < deadline:
            running.child.send_signal(signal.SIGINT)
            time.sleep(0.01)
        code = running.wait_end(harness.END_S)

    assert code == 128 + signal.SIGINT
    assert open_ports(running) == []
    assert "Traceback" not in running.output()


def agents_of(running: harness.Process) -> dict[str, str]:
    health = httpx.get(f"{page_of(running)}/healthz", trust_env=False).json()
    agents: dict[str, str] = health["agents"]
    return agents


def test_announced_page_has_all_agents_connected(tmp_path: Path) -> None:
    running = start(tmp_path)
    asked = time.monotonic()
    running.start()
    try:
        wait_announced(running)
        took_s = time.monotonic() - asked
        page = httpx.get(page_of(running), trust_env=False)
        all_connected = dict.fromkeys(AGENTS, "connected")
        wait_until_sync(
            lambda: agents_of(running) == all_connected, "all agents to be followed", 30
        )
    finally:
        running.terminate()

    assert page.status_code == 200
    assert "Installing" not in running.output()
    # On a busy machine, the time is not checked.
    assert took_s < SECOND_START_S or os.getloadavg()[0] > (os.cpu_count() or 1)


@pytest.mark.parametrize("delay_s", [0.0, 0.1, 0.2, 0.3, 0.5, 0.8])
def test_signal_during_the_start_leaves_no_process(
    tmp_path: Path, delay_s: float
) -> None:
    running = start(tmp_path)
    running.start()
    # Not a wait: each delay interrupts another part of the start.
    time.sleep(delay_s)

    running.child.send_signal(signal.SIGINT)
    running.wait_end(harness.END_S)

    assert open_ports(running) == []


def test_port_in_use_is_reported_with_a_working_command(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        running = start(tmp_path, WALTER_PORT=port)
        running.start()
        code = running.wait_end(START_S)

    lines = running.output().splitlines()
    assert code == 1
    assert len(lines) == 1
    assert f"port {port} (walter) on 127.0.0.1 is already in use" in lines[0]
    assert "WALTER_PORT=" in lines[0]
    assert lines[0].endswith(" scripts/start")
    assert open_ports(running) == []


def test_invalid_port_is_reported(tmp_path: Path) -> None:
    running = start(tmp_path)
    running.env["LOGAN_PORT"] = "courtside"
    running.start()

    assert running.wait_end(START_S) == 1
    assert "LOGAN_PORT=courtside is not a port" in running.output()


def test_end_of_one_process_ends_all_five(tmp_path: Path) -> None:
    running = start(tmp_path)
    running.start()
    wait_announced(running)

    subprocess.run(["kill", "-KILL", str(pid_of("carly.1", running))], check=True)

    assert running.wait_end(harness.END_S) != 0
    assert open_ports(running) == []


def test_killed_honcho_leaves_no_process(tmp_path: Path) -> None:
    running = start(tmp_path)
    running.start()
    wait_announced(running)
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
    if not children.exists():
        running.terminate()
        pytest.skip("only Linux can adopt orphaned processes")

    os.kill(int(children.read_text().split()[0]), signal.SIGKILL)

    running.wait_end(harness.END_S)
    assert open_ports(running) == []


@pytest.mark.parametrize("named", [None, "/nowhere/python3"])
def test_missing_python_is_reported_with_the_required_version(
    tmp_path: Path, named: str | None
) -> None:
    bin_folder, copy = tmp_path / "bin", tmp_path / "scripts"
    bin_folder.mkdir()
    for tool in ("sh", "dirname", "cat", "cksum", "rm"):
        (bin_folder / tool).symlink_to(shutil.which(tool) or pytest.skip(f"no {tool}"))
    shutil.copytree(ROOT / "scripts", copy)

    done = subprocess.run(
        [copy / "start"],
        env={"PATH": str(bin_folder)} | ({"PYTHON": named} if named else {}),
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("Courtside needs Python 3.10 or newer, and found ")
    assert (named or "python3.10") in done.stderr
    assert done.stderr.count("\n") == 1


def test_courtside_script_runs_in_the_current_folder(tmp_path: Path) -> None:
    (tmp_path / "courtside.toml").write_text("[host]\nport = 8123\n", encoding="utf-8")

    done = subprocess.run(
        [ROOT / "scripts/courtside", "config"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert re.search(r"^port +8123 ", done.stdout, re.M), done.stdout


def pid_of(name: str, running: Process) -> int:
    """Return the process id that honcho printed for `name`."""
    line = next(s for s in running.output().splitlines() if f"{name} started" in s)
    return int(line.rpartition("pid=")[2].rstrip(")"))
