"""Forks processes for tests from a process that has already imported the modules.

This saves half a second for each process. `python -m tests.support.fork_server FD`
serves one pytest worker, and ends with it. harness.py calls `fork`. A child runs as
`python -m MODULE` does. Tests that measure memory or start time do not use this.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PYTHON = [sys.executable, "-m"]
OURS = ("host", "agents", "tests")
AT_START = ("PYTHON", "LD_", "OTEL_")
"""Prefixes of variables that Python or the imported modules read at their start."""
PRELOADED = (
    "agents.app",
    "agents.faults",
    "agents.server",
    "agents.settings",
    "anyio._backends._asyncio",
    "host.clients.bindings.jsonrpc",
    "host.clients.bindings.http_json",
    "host.cli.serve",
    "uvicorn.lifespan.on",
    "uvicorn.loops.auto",
)
MOST_BYTES = 64 * 1024
NUMBER = struct.Struct("i")


def can_fork(argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> bool:
    """Return whether a fork gives the same result. `env` has the changed variables."""
    return (
        sys.platform == "linux"
        and list(argv[:2]) == PYTHON
        and argv[2].partition(".")[0] in OURS
        and cwd == ROOT
        and not any(name.startswith(AT_START) for name in env)
    )


class ForkedProcess:
    """A child of the fork server, with the methods of Popen that tests use."""

    def __init__(self, status: int) -> None:
        self.returncode: int | None = None
        self._status = status
        self._reading = threading.Lock()
        self.pid = self._number()

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        end = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None:
            left_s = None if end is None else max(0.0, end - time.monotonic())
            with self._reading:
                if self.returncode is None and _readable(self._status, left_s):
                    self.returncode = os.waitstatus_to_exitcode(self._number())
                    os.close(self._status)
                elif self.returncode is None:
                    raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _number(self) -> int:
        answer = os.read(self._status, NUMBER.size)
        if not answer:
            raise RuntimeError("the fork server has ended; its errors are on stderr")
        number: int = NUMBER.unpack(answer)[0]
        return number


_lock = threading.Lock()
_servers: list[socket.socket] = []
"""The socket of this worker's fork server. Empty before the first fork."""


def fork(
    argv: Sequence[str],
    env: Mapping[str, str],
    streams: Sequence[int],
    *,
    own_group: bool = False,
) -> ForkedProcess:
    """Start `argv` with these stdin, stdout and stderr. `can_fork` must be true."""
    request = json.dumps({"argv": argv, "env": dict(env), "own_group": own_group})
    status, status_writer = os.pipe()
    try:
        with _lock:
            if not _servers:
                _servers.append(_start(env))
            socket.send_fds(_servers[0], [request.encode()], [status_writer, *streams])
    finally:
        os.close(status_writer)
    return ForkedProcess(status)


def _start(env: Mapping[str, str]) -> socket.socket:
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        server = subprocess.Popen(
            [*PYTHON, "tests.support.fork_server", str(its.fileno())],
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[its.fileno()],
        )

    def end() -> None:
        ours.close()
        server.wait()

    atexit.register(end)
    return ours


def _readable(fd: int, timeout_s: float | None) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(None if timeout_s is None else timeout_s * 1000))


def main() -> None:
    os.environ["OTEL_INSTRUMENTATION_A2A_SDK_ENABLED"] = "false"
    for module in PRELOADED:
        import_module(module)
    on_interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as control:
        wanted = _serve(control)
    if wanted:
        signal.signal(signal.SIGINT, on_interrupt)
        runpy.run_module(wanted, run_name="__main__", alter_sys=True)


def _serve(control: socket.socket) -> str | None:
    """Fork on request.

    Returns the module to run in each child, and None when the pytest worker has ended.
    """
    children: dict[int, tuple[int, int]] = {}
    waiting = select.poll()
    waiting.register(control, select.POLLIN)
    while True:
        for fd, _ in waiting.poll():
            if fd in children:
                waiting.unregister(fd)
                _reap(fd, *children.pop(fd))
                continue
            message, fds, _, _ = socket.recv_fds(control, MOST_BYTES, 4)
            if not message:
                for pidfd in children:
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                return None
            status, *streams = fds
            pid = os.fork()
            if not pid:
                control.close()
                return _become(json.loads(message), streams)
            for stream in streams:
                os.close(stream)
            pidfd = os.pidfd_open(pid)
            children[pidfd] = pid, status
            waiting.register(pidfd, select.POLLIN)
            _send_number(status, pid)


def _become(request: dict[str, Any], streams: Sequence[int]) -> str:
    if request["own_group"]:
        os.setsid()
    for fd, stream in enumerate(streams):
        os.dup2(stream, fd)
    os.closerange(len(streams), os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    _, _, module, *words = request["argv"]
    sys.argv[:] = [module, *words]
    return str(module)


def _reap(pidfd: int, pid: int, status: int) -> None:
    _send_number(status, os.waitpid(pid, 0)[1])
    os.close(pidfd)
    os.close(status)


def _send_number(status: int, number: int) -> None:
    with suppress(BrokenPipeError):  # The test no longer waits.
        os.write(status, NUMBER.pack(number))


if __name__ == "__main__":
    main()
