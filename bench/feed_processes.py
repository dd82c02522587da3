"""The server processes that the feed benchmark measures."""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

HERE = Path(__file__).parent
SERVER_CORE = 0
FRAME_BYTES = 430  # The size of the frame that bench.feed_servers' update becomes.
NGINX_MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")


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
            preexec_fn=on_core(SERVER_CORE),
        )

    def wait_until_listening(self) -> None:
        if self.kind == "limit":  # It counts connections, so no probe may connect.
            read_line(self._process)
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
        return int(json.loads(read_line(self._process))["start_ns"])

    def end(self) -> dict[str, float]:
        """Close stdin. Return what the server measured itself."""
        self._send(None)
        text = read_line(self._process)
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
        self, kind: str, port: int, argv: list[str], *, events: int, rate: int
    ) -> None:
        super().__init__(kind, port, argv)
        self._events, self._rate = events, rate

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
        window = 0 if self._rate else 64
        nginx = socket.create_connection(("127.0.0.1", self.port))
        nginx.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        responses = nginx.makefile("rb")
        start = time.monotonic()
        for number in range(self._events):
            if self._rate:
                due = start + number / self._rate
                time.sleep(max(due - time.monotonic(), 0))
            nginx.sendall(_post(number))
            if number >= window:
                _read_response(responses)
        for _ in range(min(window, self._events)):
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


def read_line(process: subprocess.Popen[str]) -> str:
    return process.stdout.readline().strip() if process.stdout else ""


def on_core(core: int) -> Callable[[], None]:
    """Return a function that sets the core and the limit of open files in the child."""

    def prepare() -> None:
        os.sched_setaffinity(0, {core})
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    return prepare
