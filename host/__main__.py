"""Owns the command line: `courtside`, or `python -m host`.

Reads the settings, opens the log, serves the application until it is told to end.
"""

from __future__ import annotations

import gc
import logging
import os
import socket
import sys
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Protocol

import uvicorn
from starlette.types import Receive, Scope, Send

# Read by the SDK when it is imported; without it each call is traced for nobody.
os.environ.setdefault("OTEL_INSTRUMENTATION_A2A_SDK_ENABLED", "false")

from host.app import Host
from host.config import CONFIG_FILE, Config, read, read_agents
from host.errors import CourtsideError
from host.log import Log
from host.log.memory import MemoryLog
from host.log.sqlite import SqliteLog

GRACE_S = 1
SEND_BUFFER = 128 * 1024  # Accepted sockets inherit it: a stalled reader costs less.
SWITCH_S = 0.001


class Stoppable(Protocol):
    """An ASGI application with streams to end."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    def stop(self) -> None:
        """Ends them. Called from a signal handler."""


class _Server(uvicorn.Server):
    """Ends the streams first: uvicorn waits for open responses before it exits."""

    def __init__(self, config: uvicorn.Config, host: Stoppable) -> None:
        super().__init__(config)
        self._host = host

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        settle_memory()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Not uvicorn's own: that one raises the signal again when all is done.
        self._host.stop()
        self.force_exit = self.should_exit
        self.should_exit = True


def main() -> None:
    """Exits with 0 after SIGINT or SIGTERM, with 1 and one line when it cannot run."""
    logging.basicConfig(
        level=logging.INFO,
        format="at=%(asctime)s level=%(levelname)s from=%(name)s %(message)s",
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("a2a").setLevel(logging.WARNING)
    _allow_sockets()
    try:
        config = read(sys.argv[1:], os.environ, Path.cwd())
        with listen(config) as listener:
            file = config.file or Path(CONFIG_FILE)
            reread = partial(read_agents, file, os.environ)
            host = Host(config, _open_log(config), reread)
            serve(host, listener)
    except CourtsideError as error:
        sys.exit(f"courtside: {error}")
    sys.exit(1 if host.failed else 0)


def settle_memory() -> None:
    """What is there now stays: a full collection of it held up events by 30-50 ms."""
    gc.collect()
    gc.freeze()
    # What is young is looked at in small steps: 20,000 objects at once are 6 ms.
    gc.set_threshold(5_000, 200, 100)
    # How long the log's thread waits for the loop, several times in each commit.
    sys.setswitchinterval(SWITCH_S)


def serve(host: Stoppable, listener: socket.socket) -> None:
    """Returns after SIGINT or SIGTERM, when every stream has ended."""
    settings = uvicorn.Config(
        host,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    _Server(settings, host).run(sockets=[listener])


def listen(config: Config) -> socket.socket:
    """Takes the port before anything is started. Raises CourtsideError."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    try:
        listener.bind((config.host, config.port))
    except OSError as error:
        listener.close()
        raise CourtsideError(
            f"port {config.port} on {config.host} cannot be had: "
            f"{error.strerror}; stop what uses it, or choose another with --port "
            "(or COURTSIDE_PORT)"
        ) from error
    return listener


def _allow_sockets() -> None:
    """Each reader and each open task is one; most shells allow 1,024 files."""
    if sys.platform != "win32":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _open_log(config: Config) -> Log:
    if config.log == "memory":
        return MemoryLog()
    return SqliteLog(config.data_dir / "feed.db")


if __name__ == "__main__":
    main()
