"""Owns the process: its port, its uvicorn, its memory, its end.

The command line opens the log and hands over the application; `serve` returns after
SIGINT or SIGTERM.
"""

from __future__ import annotations

import gc
import resource
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import Protocol

import uvicorn
from starlette.types import Receive, Scope, Send

from .api.slow_clients import PromptProtocol
from .config.access_rules import AccessRules
from .config.load import Config
from .errors import CourtsideError

GRACE_S = 1
SEND_BUFFER = 128 * 1024  # Accepted sockets inherit it: a stalled reader costs less.
SWITCH_S = 0.001
NO_RULES = AccessRules()


class Stoppable(Protocol):
    """An ASGI application with streams to end."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    def stop(self) -> None:
        """Ends them. Called from a signal handler."""


class _Server(uvicorn.Server):
    """Ends the streams first: uvicorn waits for open responses before it exits."""

    def __init__(
        self, config: uvicorn.Config, host: Stoppable, ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._host = host
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        settle_memory()
        if self.started:
            self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Not uvicorn's own: that one raises the signal again when all is done.
        self._host.stop()
        self.force_exit = self.should_exit
        self.should_exit = True


def settle_memory() -> None:
    """What is there now stays: a full collection of it held up events by 30-50 ms."""
    gc.collect()
    gc.freeze()
    # What is young is looked at in small steps: 20,000 objects at once are 6 ms.
    gc.set_threshold(5_000, 200, 100)
    # How long the log's thread waits for the loop, several times in each commit.
    sys.setswitchinterval(SWITCH_S)


def serve(
    host: Stoppable,
    listener: socket.socket,
    rules: AccessRules = NO_RULES,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Returns after SIGINT or SIGTERM, when every stream has ended.

    `ready` is called once, when requests are answered. Raises CourtsideError for a
    certificate that cannot be used.
    """
    settings = uvicorn.Config(
        host,
        http=PromptProtocol,
        ws="none",
        ssl_certfile=rules.tls_cert,
        ssl_keyfile=rules.tls_key,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
        limit_concurrency=_most_connections(),
    )
    try:
        settings.load()
    except OSError as error:  # ssl.SSLError is one.
        raise CourtsideError(
            f"tls_cert {rules.tls_cert} and tls_key {rules.tls_key} cannot be used: "
            f"{error.strerror or error}; they must be PEM files of one certificate"
        ) from error
    _Server(settings, host, ready).run(sockets=[listener])


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


def _most_connections() -> int | None:
    """The rest of the files is for the log and the agents, whoever connects."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if files == resource.RLIM_INFINITY else files * 3 // 4


def allow_sockets() -> None:
    """Each reader and each open task is one; most shells allow 1,024 files."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
