"""Runs `honcho start` for scripts/start: checks ports, announces the page, ends all.

Honcho's output goes to the terminal; what is left of its processes is ended here.
"""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from honcho.environ import parse as parse_env
from honcho.environ import parse_procfile

ROOT = Path(__file__).resolve().parent.parent
ADDRESS = "127.0.0.1"
PORT = re.compile(r"--port \$\{(?P<variable>\w+):-(?P<default>\d+)\}")
PATIENCE_S = 15.0
"""A start that takes longer than this gets a line that says what is missing."""
TERM_S = 1.5
"""Honcho passes SIGTERM on, and our processes leave open streams after 1 s."""
LAST_TERM_S = 1.0
"""For those that honcho did not reach, before SIGKILL: together less than 3 s."""
ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
PR_SET_CHILD_SUBREAPER = 36


class Service(NamedTuple):
    """One line of the Procfile: where it listens and what answers when it is ready."""

    name: str
    variable: str
    port: int
    path: str

    def ready(self) -> bool:
        """It answers, and if it is the host, it has tried each of its agents."""
        connection = http.client.HTTPConnection(ADDRESS, self.port, timeout=0.5)
        try:
            connection.request("GET", self.path)
            answer = connection.getresponse()
            body = json.load(answer)
        except (OSError, ValueError):
            return False
        finally:
            connection.close()
        trying = "connecting" in body.get("agents", {}).values()
        return answer.status == 200 and not trying


def main() -> int:
    os.chdir(ROOT)
    try:
        services = read_services()
    except ValueError as error:
        print(f"courtside: {error}", file=sys.stderr)
        return 1
    if complaint := taken_ports(services):
        print(f"courtside: {complaint}", file=sys.stderr)
        return 1
    signals = catch_signals()
    adopt_orphans()
    # A session of its own: Ctrl-C reaches only us, so that honcho hears of it once,
    # from us, and not while it is still starting its processes.
    honcho = subprocess.Popen(
        [sys.executable, "-m", "honcho", "start"], start_new_session=True
    )
    try:
        return watch(honcho, services, signals)
    finally:
        # A second Ctrl-C must not interrupt the clean-up, nor the exit after it.
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)
        end_all(honcho)


def read_services() -> list[Service]:
    """Read the Procfile. Raises ValueError if a port is wrong."""
    # As honcho does: what .env says wins.
    env = dict(os.environ)
    if Path(".env").exists():
        env |= parse_env(Path(".env").read_text(encoding="utf-8"))
    services = []
    procfile = parse_procfile(Path("Procfile").read_text(encoding="utf-8"))
    for name, command in procfile.processes.items():
        found = PORT.search(command)
        if not found:
            raise ValueError(f"Procfile: {name} has no --port ${{VARIABLE:-PORT}}")
        variable = found["variable"]
        text = env.get(variable) or found["default"]
        if not (text.isdecimal() and 0 < int(text) < 65536):
            raise ValueError(f"{variable}={text} is not a port from 1 to 65535")
        path = "/healthz" if name == "host" else "/.well-known/agent-card.json"
        services.append(Service(name, variable, int(text), path))
    return services


def taken_ports(services: Sequence[Service]) -> str | None:
    """One line that names the ports in use and a command with free ones, or None."""
    taken = [
        service
        for index, service in enumerate(services)
        if not is_free(service.port)
        or service.port in (earlier.port for earlier in services[:index])
    ]
    if not taken:
        return None
    ours = {service.port for service in services}
    fix = []
    for service in taken:
        above = range(service.port + 1000, 65536)
        free = next((p for p in above if p not in ours and is_free(p)), 0)
        ours.add(free)
        fix.append(f"{service.variable}={free}")
    names = ", ".join(f"{service.port} ({service.name})" for service in taken)
    one = len(taken) == 1
    return (
        f"port{'' if one else 's'} {names} on {ADDRESS} {'is' if one else 'are'} "
        f"already in use. Stop what uses {'it' if one else 'them'}, or choose "
        f"{'another' if one else 'others'}: {' '.join(fix)} scripts/start"
    )


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As uvicorn does: connections of a former run that still fade do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError:
            return False
    return True


def catch_signals() -> int:
    """From now on signals arrive as bytes in a pipe; returns its reading end."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (*ENDING, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    return reading


def watch(
    honcho: subprocess.Popen[bytes], services: Sequence[Service], signals: int
) -> int:
    """Announce the page, then wait for honcho's end or a signal; the exit code."""
    waiting = list(services)
    started = time.monotonic()
    patient = True
    while (code := honcho.poll()) is None:
        if waiting:
            waiting = [service for service in waiting if not service.ready()]
            if not waiting:
                print(f"Courtside is at http://{ADDRESS}:{services[-1].port}")
                sys.stdout.flush()
            elif patient and time.monotonic() - started > PATIENCE_S:
                patient = False
                names = ", ".join(f"{s.name} on port {s.port}" for s in waiting)
                print(f"courtside: still waiting for {names}", file=sys.stderr)
        if select.select([signals], [], [], 0.05 if waiting else None)[0]:
            received = ENDING.intersection(os.read(signals, 512))
            if received:
                return 128 + min(received)
    return code


def end_all(honcho: subprocess.Popen[bytes]) -> None:
    """Nothing that we started runs when this returns, within 3 s."""
    if honcho.poll() is None:
        honcho.terminate()
        if wait_for_none(honcho, TERM_S):
            return
    for number, wait_s in ((signal.SIGTERM, LAST_TERM_S), (signal.SIGKILL, 0.3)):
        for pid in descendants(os.getpid()):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        if wait_for_none(honcho, wait_s):
            return


def wait_for_none(honcho: subprocess.Popen[bytes], deadline_s: float) -> bool:
    end = time.monotonic() + deadline_s
    while honcho.poll() is None or any(descendants(os.getpid())):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def adopt_orphans() -> None:
    """Where Linux can: processes whose honcho was killed become our children."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(pid: int) -> Iterator[int]:
    """The living processes below `pid`."""
    children: dict[int, list[int]] = {}
    for child, parent in running():
        children.setdefault(parent, []).append(child)
    to_visit = children.get(pid, [])
    while to_visit:
        child = to_visit.pop()
        yield child
        to_visit.extend(children.get(child, []))


def running() -> Iterator[tuple[int, int]]:
    """(process, parent) of all that run, without those that only wait to be reaped."""
    if Path("/proc/self/stat").exists():
        for entry in Path("/proc").glob("[0-9]*/stat"):
            try:
                # "12 (any name) S 1 …": the name may itself contain ") ".
                state, parent = entry.read_text().rpartition(")")[2].split()[:2]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if state != "Z":
                yield int(entry.parent.name), int(parent)
        return
    # Without /proc (macOS); our own `ps` is among its lines, and gone by now.
    listing = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,stat=,comm="],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    for line in listing.stdout.splitlines():
        pid, parent, state, command = line.split(maxsplit=3)
        if not state.startswith("Z") and command.rpartition("/")[2] != "ps":
            yield int(pid), int(parent)


if __name__ == "__main__":
    sys.exit(main())
