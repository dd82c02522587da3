"""Runs the four agents of `courtside --demo` as child processes."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from .. import IMPORT_FOLDER, get_sibling
from ..config.address_rules import LOOPBACK
from ..config.load import read_demo_ports

ADDRESS = LOOPBACK[0]
STOP_S = 1.5  # An agent abandons open streams after 1 s.


@contextmanager
def run_demo_agents(environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Start the agents, on their default ports if these are free. Yields URLs by name.

    Stops the agents when the block ends. If this process is killed, they see the end
    of their standard input, and stop.
    """
    children: list[subprocess.Popen[bytes]] = []
    urls: dict[str, str] = {}
    try:
        for name, default in read_demo_ports(environ).items():
            port = _find_free_port(default)
            children.append(_start(name, port))
            urls[name] = f"http://{ADDRESS}:{port}"
        yield urls
    finally:
        _stop(children)


def _start(name: str, port: int) -> subprocess.Popen[bytes]:
    program = get_sibling("agents")
    # In a new session, Ctrl-C does not reach it. The host stops it.
    return subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", program, name, f"--port={port}", "--until-eof"],
        # The user's current folder can contain another package `agents`.
        cwd=IMPORT_FOLDER,
        stdin=subprocess.PIPE,
        stdout=sys.stderr,
        start_new_session=True,
    )


def _stop(children: list[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + STOP_S
    for child in children:
        child.terminate()
    for child in children:
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdin:
            child.stdin.close()


def _find_free_port(default: int) -> int:
    """Return the default port if it is free, else any other."""
    for port in (default, 0):
        with socket.socket() as probe:
            # Like servers: ignore closed connections of an earlier run.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((ADDRESS, port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    return default
