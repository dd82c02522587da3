"""Runs one measurement of the feed benchmark: a server on one core, the load client
on the other.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.feed_processes import (
    FRAME_BYTES,
    NGINX,
    NGINX_MODULE,
    Nchan,
    Server,
    on_core,
    read_line,
)

HERE = Path(__file__).parent
LOAD_CORE = 1
DEADLINE_S = 120


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
        if read_line(load) != "ready":
            raise SystemExit(f"the load client cannot connect to {server.kind}")
        time.sleep(0.5)
        grown = server.memory_kb() - memory
        start_ns = server.start()
        cpu = server.cpu_s()
        got = json.loads(read_line(load))
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
            preexec_fn=on_core(LOAD_CORE),
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
        argv = ["nginx", "-c", str(config), "-p", str(folder)]
        return Nchan(kind, port, argv, events=s.events, rate=s.rate)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: Any = probe.getsockname()[1]
    return int(port)
