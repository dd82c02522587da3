"""Runs one measurement of the feed benchmark: a server on one core, the load client
on the other.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

HERE = Path(__file__).parent
SERVER_CORE, LOAD_CORE = 0, 1
FRAME_BYTES = 430  # The size of the frame that bench.feed_servers' update becomes.
DEADLINE_S = 120
NGINX_MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")


@dataclass(frozen=True)
class Scenario:
    """Each reader gets `events`, at `rate` a second, or as fast as possible if 0."""

    readers: int
    events: int
    rate: int = 0
    log: str = "sqlite"
    slow: int = 0


@dataclass
class Result:
    """The results of one run. `own` is what the server measured itself."""

    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    complete: bool
    grown_kb: float = 0.0
    own: dict[str, float] = field(default_factory=dict)


class Runner:
    """Runs scenarios. Compiles the C programs once, into `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("feed_readers", "limit"):
            source, target = HERE / f"{name}.c", folder / name
            subprocess.run(
                ["cc", "-O3", "-march=native", "-o", target, source], check=True
            )

    def run(self, kind: str, scenario: Scenario) -> Result:
        with self._server(kind, scenario) as server:
            return self._measure(server, scenario)

    def _measure(self, server: Server, scenario: Scenario) -> Result:
        memory = server.memory_kb()
        load = self._load(server, scenario)
        if _line(load) != "ready":
            raise SystemExit(f"the load client cannot connect to {server.kind}")
        time.sleep(0.5)
        grown = server.memory_kb() - memory
        start_ns = server.start()
        cpu = server.cpu_s()
        got = json.loads(_line(load))
        cpu = server.cpu_s() - cpu
        load.wait()
        # A replay starts when its reader connects, not when the server publishes.
        began_ns = got["begin_ns"] if server.kind == "replay" else start_ns
        elapsed_s = (got["end_ns"] - began_ns) / 1e9
        return Result(
            per_s=got["events"] / elapsed_s,
            p50_ms=got["p50_ms"],
            p99_ms=got["p99_ms"],
            cpu_us=cpu / max(got["events"], 1) * 1e6,
            complete=got["least"] == got["most"] == scenario.events,
            grown_kb=grown,
            own=server.end(),
        )

    def _load(self, server: Server, scenario: Scenario) -> subprocess.Popen[str]:
        mode = "latency" if scenario.rate else "count"
        counts = (scenario.readers, scenario.events)
        return subprocess.Popen(
            [
                self.folder / "feed_readers",
                str(server.port),
                "/feed?after=0" if server.kind == "replay" else "/feed",
                *map(str, counts),
                mode,
                str(scenario.slow),
                str(DEADLINE_S),
            ],
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=_on(LOAD_CORE),
        )

    @contextmanager
    def _server(self, kind: str, scenario: Scenario) -> Iterator[Server]:
        port = _free_port()
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        make = {"limit": self._limit, "nchan": self._nchan}.get(kind, self._python)
        server = make(kind, scenario, port, folder)
        try:
            server.wait_until_listening()
            yield server
        finally:
            server.kill()
            shutil.rmtree(folder)

    def _python(self, kind: str, s: Scenario, port: int, folder: Path) -> Server:
        options = {
            "port": port,
            "log": s.log,
            "events": s.events,
            "rate": s.rate,
            "data-dir": folder,
        }
        flags = [text for k, v in options.items() for text in (f"--{k}", str(v))]
        argv = [sys.executable, "-m", "bench.feed_servers", kind, *flags]
        return Server(kind, port, argv)

    def _limit(self, kind: str, s: Scenario, port: int, folder: Path) -> Server:
        numbers = (port, s.readers, s.events, s.rate, FRAME_BYTES)
        return Server(kind, port, [str(self.folder / "limit"), *map(str, numbers)])

    def _nchan(self, kind: str, s: Scenario, port: int, folder: Path) -> Server:
        config = folder / "nginx.conf"
        config.write_text(NGINX.format(module=NGINX_MODULE, port=port, folder=folder))
        return Nchan(kind, port, ["nginx", "-c", str(config), "-p", str(folder)], s)


class Server:
    """A server process. It publishes when it gets a line on stdin."""

    def __init__(self, kind: str, port: int, argv: list[str]) -> None:
        self.kind = kind
        self.port = port
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=HERE.parent,
            preexec_fn=_on(SERVER_CORE),
        )

    def wait_until_listening(self) -> None:
        if self.kind == "limit":  # It counts connections, so no probe may connect.
            _line(self._process)
            return
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"{self.kind} does not listen on {self.port}")

    def start(self) -> int:
        """Start publishing. Return the start time, in ns of CLOCK_MONOTONIC."""
        self._send("go\n")
        return int(json.loads(_line(self._process))["start_ns"])

    def end(self) -> dict[str, float]:
        """Close stdin. Return what the server measured itself."""
        self._send(None)
        text = _line(self._process)
        own: dict[str, float] = json.loads(text) if text else {}
        return own

    def _send(self, line: str | None) -> None:
        stdin = self._process.stdin
        if stdin and line:
            stdin.write(line)
            stdin.flush()
        elif stdin:
            stdin.close()

    def pids(self) -> list[int]:
        return [self._process.pid]

    def cpu_s(self) -> float:
        ticks = 0
        for pid in self.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory_kb(self) -> int:
        total = 0
        for pid in self.pids():
            status = Path(f"/proc/{pid}/status").read_text()
            total += int(status.partition("VmRSS:")[2].split()[0])
        return total

    def kill(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Nchan(Server):
    """nginx with nchan. A thread of this process publishes with pipelined POSTs."""

    def __init__(
        self, kind: str, port: int, argv: list[str], scenario: Scenario
    ) -> None:
        super().__init__(kind, port, argv)
        self._scenario = scenario

    def pids(self) -> list[int]:
        parent = self._process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text()
        return [int(pid) for pid in children.split()]

    def start(self) -> int:
        threading.Thread(target=self._publish, daemon=True).start()
        return time.monotonic_ns()

    def end(self) -> dict[str, float]:
        return {}

    def _publish(self) -> None:
        """Publish. In a flood, up to 64 POSTs wait for their responses; else none."""
        window = 0 if self._scenario.rate else 64
        nginx = socket.create_connection(("127.0.0.1", self.port))
        nginx.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        responses = nginx.makefile("rb")
        start = time.monotonic()
        for number in range(self._scenario.events):
            if self._scenario.rate:
                due = start + number / self._scenario.rate
                time.sleep(max(due - time.monotonic(), 0))
            nginx.sendall(_post(number))
            if number >= window:
                _read_response(responses)
        for _ in range(min(window, self._scenario.events)):
            _read_response(responses)


def _read_response(responses: BinaryIO) -> None:
    length = 0
    while line := responses.readline().strip().lower():
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    responses.read(length)


def _post(number: int) -> bytes:
    padding = "x" * (FRAME_BYTES - 60)
    body = f'{{"id":{number},"message":"~{time.monotonic_ns():019d} {padding}"}}'
    head = f"POST /pub HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n{body}".encode()


NGINX = """
load_module {module};
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log crit;
events {{ worker_connections 16384; }}
http {{
  access_log off;
  nchan_shared_memory_size 512M;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location /pub {{
      nchan_publisher http;
      nchan_channel_id feed;
      nchan_message_buffer_length 100000;
    }}
    location /feed {{
      nchan_subscriber eventsource;
      nchan_channel_id feed;
      nchan_subscriber_first_message newest;
    }}
  }}
}}
"""


def is_nchan_installed() -> bool:
    return shutil.which("nginx") is not None and NGINX_MODULE.exists()


def _line(process: subprocess.Popen[str]) -> str:
    return process.stdout.readline().strip() if process.stdout else ""


def _on(core: int) -> Callable[[], None]:
    """Return a function that sets the core and the limit of open files in the child."""

    def prepare() -> None:
        os.sched_setaffinity(0, {core})
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    return prepare


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: Any = probe.getsockname()[1]
    return int(port)
