"""Owns the four agents of `--demo`: child processes that end when the host does.

The host follows them by their URLs, as it follows any agent.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from .. import IMPORT_FOLDER, get_sibling
from ..config.load import stub_ports

ADDRESS = "127.0.0.1"
END_S = 1.5
"""They leave open streams after 1 s; the host itself has had its second by then."""


@contextmanager
def running_stubs(environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Starts the four, on their usual ports where those are free: URLs by name.

    On the way out they are ended. If this process is killed, they read the end of
    their standard input, and end themselves.
    """
    children: list[subprocess.Popen[bytes]] = []
    urls: dict[str, str] = {}
    try:
        for name, usual in stub_ports(environ).items():
            port = _free(usual)
            children.append(_start(name, port))
            urls[name] = f"http://{ADDRESS}:{port}"
        yield urls
    finally:
        _end(children)


def _start(name: str, port: int) -> subprocess.Popen[bytes]:
    program = get_sibling("agents")
    # A session of its own: Ctrl-C is for the host, which ends first, and tells them.
    return subprocess.Popen(  # noqa: S603 - our own, by name and number
        [sys.executable, "-m", program, name, f"--port={port}", "--until-eof"],
        # The user's current folder can contain another package `agents`.
        cwd=IMPORT_FOLDER,
        stdin=subprocess.PIPE,
        stdout=sys.stderr,
        start_new_session=True,
    )


def _end(children: list[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + END_S
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


def _free(usual: int) -> int:
    """The usual port, else any other. An agent that loses it to somebody says so."""
    for port in (usual, 0):
        with socket.socket() as probe:
            # As servers do: connections of a former run that still fade do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((ADDRESS, port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    return usual
