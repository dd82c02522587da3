"""Tests that a forked child behaves like `python -m` and ends with its parent."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import fork_server
from tests.support.harness import ROOT, Process
from tests.support.waiting import wait_until_sync

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux only")
SLEEP = "import time; time.sleep(60)"


def start_child(folder: Path, code: str, *words: str, fresh: bool = False) -> Process:
    """Start a child that runs `code` and writes its output to `folder`."""
    folder.mkdir(exist_ok=True)
    argv = [sys.executable, "-m", "tests.support.run_code", code, *words]
    process = Process("child", argv, folder=folder, fresh=fresh)
    process.start()
    assert isinstance(process.child, fork_server.ForkedProcess) is not fresh
    return process


@pytest.mark.parametrize(
    ("ending", "code", "expected"),
    [
        ("pass", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit('not today')", 1, "not today\n"),
        ("1 / 0", 1, "ZeroDivisionError"),
        ("import warnings; warnings.warn('is an error')", 1, "UserWarning"),
        ("atexit.register(print, 'the last')", 0, "the last\n"),
        ("os.kill(os.getpid(), 15)", -signal.SIGTERM, ""),
        ("os.kill(os.getpid(), 2)", -signal.SIGINT, "KeyboardInterrupt"),
    ],
)
def test_child_ends_like_a_new_interpreter(
    tmp_path: Path, ending: str, code: int, expected: str
) -> None:
    for fresh in (True, False):
        whole = f"import atexit, os, sys; {ending}"
        child = start_child(tmp_path / f"{fresh}", whole, fresh=fresh)

        assert child.wait_end(60.0) == code
        assert expected in child.output()


def test_child_sees_what_a_new_interpreter_sees(tmp_path: Path) -> None:
    seen = (
        "__name__, sys.argv[1:], sys.argv[0].endswith('.py'), os.getcwd(), "
        "sorted(os.environ.items()), sys.path[0], sys.warnoptions, "
        "sorted(os.listdir('/proc/self/fd')), os.readlink('/proc/self/fd/0'), "
        "signal.getsignal(2), signal.getsignal(15), sys.stdout.write_through"
    )
    code = f"import os, signal, sys; print(*({seen}), sep='\\n')"
    outputs = []
    for fresh in (True, False):
        child = start_child(tmp_path / f"{fresh}", code, "a", "--b", fresh=fresh)
        assert child.wait_end(60.0) == 0
        outputs.append(child.output())

    assert outputs[0] == outputs[1]


def test_child_gets_a_signal_and_its_exit_code_is_known(tmp_path: Path) -> None:
    child = start_child(tmp_path, SLEEP)

    assert child.alive
    child.kill()
    assert child.exit_code == -signal.SIGKILL


def test_child_dies_with_its_parent(tmp_path: Path) -> None:
    parent = (
        "import os, pathlib; "
        "from tests.unit.support.test_fork_server import SLEEP, start_child; "
        f"child = start_child(pathlib.Path({str(tmp_path)!r}), SLEEP); "
        "stat = pathlib.Path(f'/proc/{child.pid}/stat').read_text(); "
        "print(child.pid, stat.split()[3], flush=True); os.kill(os.getpid(), 9)"
    )
    pids = subprocess.run(
        [sys.executable, "-c", parent],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=False,
        timeout=60,
    ).stdout

    def all_gone() -> bool:
        return not any(Path(f"/proc/{int(pid)}").exists() for pid in pids.split())

    assert len(pids.split()) == 2
    wait_until_sync(all_gone, "the child and the fork server to end", 30.0)
