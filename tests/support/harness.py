"""Starts and stops the processes of tests. Tests start processes only with this module.

Their output goes to files, which conftest.py prints when a test fails.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TypeAlias

import httpx

from tests.support import fork_server
from tests.support.waiting import wait_until_sync

ROOT = Path(__file__).resolve().parents[2]
THOROUGH = os.environ.get("COURTSIDE_THOROUGH") == "1"
"""Whether to run random and large tests at full size, as the nightly run does."""
READY_S = 60.0
"""Five interpreters that start at once on a busy two-core machine need 2 to 4 s."""
END_S = 3.0
"""The time limit after Ctrl-C that users are promised."""
STOP_S = 30.0
"""Time limit for a stop in tests that do not test END_S."""
REQUEST_S = 30.0

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For plain HTTP. Loading the machine's certificates takes 20 ms for each client."""

ANY_CERTIFICATE = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
ANY_CERTIFICATE.check_hostname = False
ANY_CERTIFICATE.verify_mode = ssl.CERT_NONE

Child: TypeAlias = "subprocess.Popen[bytes] | fork_server.ForkedProcess"

live_processes: list[Process] = []
"""Every started process that has not ended, oldest first."""

_FIRST_PORT, _PORTS, _WORKERS = 12_000, 5_000, 4


class HarnessError(AssertionError):
    """A process did not do what the test needs, or not in time."""


def _ports() -> Iterator[int]:
    """Yield ports in a cycle. Each pytest worker has its own range.

    All ports are below the range from which the kernel takes client ports. So a port
    that was free a moment ago is still free.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = _FIRST_PORT + worker % _WORKERS * _PORTS
    begin = random.randrange(_PORTS)  # noqa: S311 - other runs on this machine
    return (first + (begin + n) % _PORTS for n in count())


_next_ports = _ports()


def free_port() -> int:
    """Return a TCP port on 127.0.0.1 that is free and was not returned recently."""
    while True:
        port = next(_next_ports)
        with socket.socket() as probe, suppress(OSError):
            # As servers do: ports of closed connections count as free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port


class Process:
    """One child process, with its output in a file. It can be started again.

    fork_server.py forks it if the result is the same. `fresh` always starts a new
    interpreter, for tests that measure its memory or start time.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        folder: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path = ROOT,
        own_group: bool = False,
        fresh: bool = False,
    ) -> None:
        self.name = name
        self.argv = [str(part) for part in argv]
        self.log = folder / f"{name}.log"
        self.env = dict(env or {})
        self.cwd = cwd
        self.own_group = own_group
        self.fresh = fresh
        self._child: Child | None = None

    def start(self) -> None:
        """Start the process. Raises HarnessError if it is already running."""
        if self.alive:
            raise HarnessError(f"{self.name} is already running")
        with self.log.open("ab") as log, Path(os.devnull).open("rb") as nothing:
            self._child = self._start(nothing.fileno(), log.fileno())
        live_processes.append(self)

    def _start(self, nothing: int, log: int) -> Child:
        env = _clean_environment() | self.env
        if not self.fresh and fork_server.can_fork(self.argv, self.cwd, self.env):
            streams = nothing, log, log
            return fork_server.fork(self.argv, env, streams, own_group=self.own_group)
        return subprocess.Popen(
            self.argv,
            cwd=self.cwd,
            env=env,
            stdin=nothing,
            stdout=log,
            stderr=log,
            start_new_session=self.own_group,
        )

    @property
    def child(self) -> Child:
        if self._child is None:
            raise HarnessError(f"{self.name} was never started")
        return self._child

    @property
    def pid(self) -> int:
        return self.child.pid

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def exit_code(self) -> int | None:
        """The exit code. It is negative after a signal, and None while it runs."""
        return self.child.poll()

    def output(self) -> str:
        """Return all output to stdout and stderr, of all its starts."""
        if not self.log.exists():
            return ""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_ready(self, url: str, deadline_s: float = READY_S) -> None:
        """Wait until `url` answers 200. Raises HarnessError if the process ends."""

        def answers() -> bool:
            if not self.alive:
                raise HarnessError(
                    f"{self.name} ended with {self.exit_code} before {url} answered:\n"
                    f"{self.output()}"
                )
            try:
                return get_url(url).status_code == 200
            except httpx.TransportError:
                return False

        wait_until_sync(answers, f"{self.name} to answer at {url}", deadline_s)

    def wait_end(self, deadline_s: float = STOP_S) -> int:
        """Wait until the process ends. Return its exit code."""
        try:
            code = self.child.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise HarnessError(
                f"{self.name} is still running after {deadline_s} s:\n{self.output()}"
            ) from None
        self._forget()
        return code

    def terminate(self, deadline_s: float = STOP_S) -> int:
        """Send SIGTERM. Return the exit code, or kill the process and raise."""
        if self.alive:
            self.resume()
            self.child.terminate()
        try:
            return self.wait_end(deadline_s)
        except HarnessError:
            self.kill()
            raise

    def kill(self) -> None:
        """Send SIGKILL and wait for the end."""
        self.child.kill()
        self.child.wait()
        self._forget()

    def pause(self) -> None:
        """Send SIGSTOP: connections stay open, but nothing answers."""
        self.child.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Send SIGCONT. Does nothing if the process is not paused."""
        self.child.send_signal(signal.SIGCONT)

    def _forget(self) -> None:
        if self in live_processes:
            live_processes.remove(self)


class Server(Process):
    """A process that is ready when `ready_url` answers. It keeps its port."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        folder: Path,
        url: str,
        ready_path: str,
        env: Mapping[str, str] | None = None,
        fresh: bool = False,
    ) -> None:
        super().__init__(name, argv, folder=folder, env=env, fresh=fresh)
        self.url = url
        self.ready_url = url + ready_path

    def restart(self, deadline_s: float = READY_S) -> None:
        """Start again on the same port and wait until it is ready."""
        if self.alive:
            self.terminate(STOP_S)
        self.start()
        self.wait_ready(self.ready_url, deadline_s)


def _clean_environment() -> dict[str, str]:
    """Return the environment without variables that configure Courtside."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("COURTSIDE_") and not name.endswith("_PORT")
    }
    return kept | {
        "NO_PROXY": "127.0.0.1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "error",
    }


def get_url(url: str, token: str = "") -> httpx.Response:
    """Send a GET request to one of the processes."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    verify = ANY_CERTIFICATE if url.startswith("https:") else NO_TLS
    # trust_env=False: requests to loopback must not go to a proxy of the machine.
    return httpx.get(
        url, trust_env=False, timeout=REQUEST_S, verify=verify, headers=headers
    )
