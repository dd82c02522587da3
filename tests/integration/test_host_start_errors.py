"""`python -m host` exits with 1 and prints one line if it cannot start."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from tests.support.harness import Process, free_port
from tests.support.stack import Stack


def fail_to_start(folder: Path, *arguments: str, toml: str = "") -> str:
    """Return the one line on stderr."""
    (folder / "courtside.toml").write_text(toml, encoding="utf-8")
    argv = [sys.executable, "-m", "host", f"--config={folder}/courtside.toml"]
    process = Process(
        "host", [*argv, f"--data-dir={folder}/data", *arguments], folder=folder
    )
    process.start()
    code = process.wait_end(30)
    lines = process.output().splitlines()
    assert code == 1
    assert len(lines) == 1, process.output()
    assert lines[0].startswith("courtside: ")
    return lines[0]


@pytest.mark.parametrize(
    ("toml", "line", "key"),
    [
        ("[host]\nprot = 8000\n", 2, "host.prot"),
        ("\n[agents.carly]\nurl = 8001\n", 3, "agents.carly.url"),
        ("[plans.p.steps.one]\nagent = 'zoe'\n", 2, "plans.p.steps.one.agent"),
    ],
)
def test_host_names_line_and_key_of_a_bad_setting(
    tmp_path: Path, toml: str, line: int, key: str
) -> None:
    error = fail_to_start(tmp_path, toml=toml)

    assert f"{tmp_path}/courtside.toml, line {line}: {key}" in error


def test_host_names_the_line_of_invalid_toml(tmp_path: Path) -> None:
    error = fail_to_start(tmp_path, toml="[host]\nport = \n")

    assert f"{tmp_path}/courtside.toml: is not TOML" in error
    assert "line 2" in error


def test_host_names_a_port_in_use_and_how_to_choose_another(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        error = fail_to_start(tmp_path, f"--port={port}")

    assert f"Port {port} on 127.0.0.1" in error
    assert "already in use" in error
    assert "--port (or COURTSIDE_PORT)" in error
    assert not (tmp_path / "data").exists(), "nothing was started"


def test_host_names_a_log_that_another_host_has_open(tmp_path: Path) -> None:
    folder = tmp_path / "first"
    folder.mkdir()
    gone = {"gone": f"http://127.0.0.1:{free_port()}"}
    with Stack(folder, [], extra_agents=gone) as running:
        error = fail_to_start(
            tmp_path,
            f"--port={free_port()}",
            f"--data-dir={running.data_dir}",
        )
        assert list(running.connections()) == ["gone"]

    assert f"{running.data_dir}/feed.db: another Courtside" in error
    assert "--data-dir" in error


def test_host_names_an_unusable_data_folder(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")

    error = fail_to_start(tmp_path, f"--port={free_port()}")

    assert f"{tmp_path}/data" in error
