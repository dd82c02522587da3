"""The only place where tests start processes: agents and host, on free ports.

Their output lands in files that conftest prints when a test fails.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TypeAlias, TypeVar

import anyio
import httpx

from agents.stubs import STUBS
from tests.support import fork_server

ROOT = Path(__file__).resolve().parents[2]
THOROUGH = os.environ.get("COURTSIDE_THOROUGH") == "1"
"""Whether what depends on chance, or on size, is tried as much as it is at night."""
AGENTS = tuple(STUBS)
SEED_AGENTS = ("carly", "walter", "logan", "nancy")
"""The agents of the original lesson, which the built-in plan needs."""
STEP_S = 0.05
READY_S = 20.0
"""Five interpreters that start at once on a busy two-core machine need 2 to 4 s."""
END_S = 3.0
"""What the user is promised after Ctrl-C."""
STOP_S = 10.0
"""That promise has tests of its own; others only must not wait for ever."""

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Nothing here is TLS, and to load the machine's certificates costs 20 ms a client."""

ANY_CERTIFICATE = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
ANY_CERTIFICATE.check_hostname = False
ANY_CERTIFICATE.verify_mode = ssl.CERT_NONE

T = TypeVar("T")
Child: TypeAlias = "subprocess.Popen[bytes] | fork_server.Forked"

live: list[Process] = []
"""Every process that was started and not yet ended, oldest first."""

_FIRST_PORT, _PORTS, _WORKERS = 12_000, 5_000, 4


class HarnessError(AssertionError):
    """A process or stream did not do in time what the test needs."""


def _ports() -> Iterator[int]:
    """Each again only after all others.

    Below those that the kernel gives to clients, and for each of pytest's workers
    others: what was free a moment ago stays so.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = _FIRST_PORT + worker % _WORKERS * _PORTS
    begin = random.randrange(_PORTS)  # noqa: S311 - other runs on this machine
    return (first + (begin + n) % _PORTS for n in count())


_next_ports = _ports()


def free_port() -> int:
    """A TCP port on 127.0.0.1 that is free now and was not handed out lately."""
    while True:
        port = next(_next_ports)
        with socket.socket() as probe, suppress(OSError):
            # As servers do: connections that were closed do not keep a port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port


class Process:
    """One child process, with its output in a file. Start it again after it ended.

    fork_server.py forks it if that makes no difference. `fresh` starts a new
    interpreter, for tests of its cost.
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
        live.append(self)

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
        """The exit code, negative for a signal; None while it runs."""
        return self.child.poll()

    def output(self) -> str:
        """Everything it wrote to stdout and stderr, over all its starts."""
        if not self.log.exists():
            return ""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_ready(self, url: str, deadline_s: float = READY_S) -> None:
        """Wait until `url` answers 200. Raises HarnessError, with the output."""

        def answers() -> bool:
            if not self.alive:
                raise HarnessError(
                    f"{self.name} ended with {self.exit_code} before {url} answered:\n"
                    f"{self.output()}"
                )
            try:
                return _get(url).status_code == 200
            except httpx.TransportError:
                return False

        wait_until(answers, deadline_s, f"{self.name} to answer at {url}")

    def wait_end(self, deadline_s: float = END_S) -> int:
        """Wait until it ended by itself and return its exit code."""
        try:
            code = self.child.wait(deadline_s)
        except subprocess.TimeoutExpired:
            raise HarnessError(
                f"{self.name} still runs after {deadline_s} s:\n{self.output()}"
            ) from None
        self._forget()
        return code

    def terminate(self, deadline_s: float = END_S) -> int:
        """SIGTERM; returns the exit code. Kills and raises if that was not enough."""
        if self.alive:
            self.resume()
            self.child.terminate()
        try:
            return self.wait_end(deadline_s)
        except HarnessError:
            self.kill()
            raise

    def kill(self) -> None:
        """SIGKILL, which the process cannot prepare for, and wait."""
        self.child.kill()
        self.child.wait()
        self._forget()

    def pause(self) -> None:
        """SIGSTOP: connections stay open, nothing answers."""
        self.child.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT after `pause`; harmless otherwise."""
        self.child.send_signal(signal.SIGCONT)

    def _forget(self) -> None:
        if self in live:
            live.remove(self)


class Server(Process):
    """A process that is ready when `ready_url` answers; it keeps its port."""

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
            self.terminate()
        self.start()
        self.wait_ready(self.ready_url, deadline_s)


class Stack:
    """Some of the stubs and the host, with a data folder of their own.

    `extra_agents` are names and URLs of agents that the test serves itself;
    `toml` is added at the end of the generated courtside.toml, `host_toml` to its
    [host]; `token` is the operator's.
    """

    def __init__(
        self,
        folder: Path,
        agents: Sequence[str] = AGENTS,
        *,
        step_s: float = STEP_S,
        log: str = "sqlite",
        with_host: bool = True,
        extra_agents: Mapping[str, str] | None = None,
        toml: str = "",
        host_toml: str = "",
        token: str = "",
        scheme: str = "http",
    ) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.config = folder / "courtside.toml"
        self.agents = {name: _agent(name, folder, step_s) for name in agents}
        urls = {name: agent.url for name, agent in self.agents.items()}
        urls |= extra_agents or {}
        self.token = token
        if token:
            host_toml += f"\ntoken = {json.dumps(token)}\n"
        self._write_config(urls, f"{toml}\n[host]\n{host_toml}" if host_toml else toml)
        port = free_port()
        self.url = f"{scheme}://127.0.0.1:{port}"
        self.host = Server(
            "host",
            [
                sys.executable,
                "-m",
                "host",
                f"--port={port}",
                f"--log={log}",
                f"--config={self.config}",
                f"--data-dir={self.data_dir}",
            ],
            folder=folder,
            url=self.url,
            ready_path="/healthz",
        )
        self._with_host = with_host

    def __enter__(self) -> Stack:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, failure: object, *_: object) -> None:
        trouble = self.stop()
        if trouble and failure is None:
            raise HarnessError("\n".join(trouble))

    def agent_url(self, name: str) -> str:
        return self.agents[name].url

    def start(self) -> None:
        """Start everything and wait until the host is connected to its agents."""
        servers = [*self.agents.values(), *([self.host] if self._with_host else [])]
        for server in servers:
            server.start()
        for server in servers:
            server.wait_ready(server.ready_url)
        if self._with_host:
            self.wait_connected(*self.agents)

    def stop(self) -> list[str]:
        """End everything; what did not end as it should, in words."""
        running = [p for p in (self.host, *self.agents.values()) if p.alive]
        for process in running:
            process.resume()
            process.child.terminate()
        trouble = []
        deadline = time.monotonic() + STOP_S
        for process in running:
            try:
                code = process.wait_end(max(0.0, deadline - time.monotonic()))
            except HarnessError as error:
                trouble.append(f"SIGTERM was not enough: {error}")
                process.kill()
                continue
            if code:
                trouble.append(
                    f"{process.name} answered SIGTERM with exit code {code}:\n"
                    f"{process.output()}"
                )
        return trouble

    def connections(self) -> dict[str, str]:
        """Each agent's name and its connection as the host says it now."""
        agents: dict[str, str] = _get(f"{self.url}/healthz", self.token).json()[
            "agents"
        ]
        return agents

    def wait_connected(self, *names: str, deadline_s: float = READY_S) -> None:
        """Wait until the host says that it is connected to all `names`."""

        def connected() -> bool:
            now = self.connections()
            return all(now.get(name) == "connected" for name in names)

        wait_until(connected, deadline_s, f"the host to connect to {', '.join(names)}")

    def _write_config(self, urls: Mapping[str, str], toml: str) -> None:
        tables = [
            f"[agents.{name}]\nurl = {json.dumps(url)}\n" for name, url in urls.items()
        ]
        self.config.write_text("\n".join([*tables, toml]), encoding="utf-8")


def wait_until(predicate: Callable[[], T], deadline_s: float, what: str) -> T:
    """The first true answer of `predicate`. Raises HarnessError at the deadline."""
    end = time.monotonic() + deadline_s
    while not (answer := predicate()):
        if time.monotonic() > end:
            raise HarnessError(f"waited {deadline_s} s for {what}; last: {answer!r}")
        time.sleep(0.02)
    return answer


async def until(
    predicate: Callable[[], Awaitable[T]], deadline_s: float, what: str
) -> T:
    """`wait_until` for async predicates."""
    answer: T | None = None
    with anyio.move_on_after(deadline_s):
        while not (answer := await predicate()):
            await anyio.sleep(0.02)
        return answer
    raise HarnessError(f"waited {deadline_s} s for {what}; last: {answer!r}")


def _agent(name: str, folder: Path, step_s: float) -> Server:
    port = free_port()
    return Server(
        name,
        [
            sys.executable,
            "-m",
            "agents",
            name,
            f"--port={port}",
            f"--step-s={step_s}",
        ],
        folder=folder,
        url=f"http://127.0.0.1:{port}",
        ready_path="/.well-known/agent-card.json",
    )


def _clean_environment() -> dict[str, str]:
    """This environment without what would configure Courtside behind a test's back."""
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


def _get(url: str, token: str = "") -> httpx.Response:
    key = {"authorization": f"Bearer {token}"} if token else {}
    verify = ANY_CERTIFICATE if url.startswith("https:") else NO_TLS
    # trust_env=False: a proxy of the machine must not stand between us and loopback.
    return httpx.get(url, trust_env=False, timeout=5.0, verify=verify, headers=key)
