"""Runs the ASGI application in uvicorn, with its port, signals and limits."""

from __future__ import annotations

import ctypes
import errno
import gc
import resource
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

import uvicorn
from starlette.types import Receive, Scope, Send

from .api.connections import Connection
from .api.listener import Listener
from .api.places import Places
from .api.refusals import Warnings
from .config.access_rules import AccessRules
from .config.load import Config
from .errors import CourtsideError

GRACE_S = 1
SEND_BUFFER = 128 * 1024  # Accepted sockets inherit it: slow readers use less memory.
SWITCH_S = 0.001
# The least that Python allows. 4 MiB of numbers with 4,300 digits took 0.1 s.
MAX_DIGITS = 640
M_MMAP_THRESHOLD = -3  # From malloc.h of glibc.
LARGE_BLOCK = 1024 * 1024
NO_RULES = AccessRules()
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stoppable(Protocol):
    """An ASGI application with streams to end."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    def stop(self) -> None:
        """End the streams. A signal handler calls this."""


def exit_on_signal() -> None:
    """Exit with 0 at the first SIGINT or SIGTERM, and ignore all later ones, so that
    they cannot interrupt the clean-up.

    `serve` replaces this while it runs.
    """

    def leave(_number: int, _frame: FrameType | None) -> None:
        ignore_signals()
        sys.exit(0)

    for number in SIGNALS:
        signal.signal(number, leave)


def ignore_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


# Overrides methods that uvicorn does not document. It has no callback for "ready"
# (https://github.com/Kludex/uvicorn/issues/1375), none to end streams before it waits
# for them (https://github.com/Kludex/uvicorn/issues/451), and no option to keep the
# signal handlers (https://github.com/Kludex/uvicorn/pull/1600).
# tests/unit/api/test_uvicorn_internals.py fails when the methods change.
class _Server(uvicorn.Server):
    """Ends the streams at a signal, before uvicorn waits for open responses."""

    def __init__(
        self,
        host: Stoppable,
        rules: AccessRules,
        on_ready: Callable[[], None] | None,
    ) -> None:
        config = uvicorn.Config(
            host,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_S,
        )
        super().__init__(config)
        self._host = host
        self._rules = rules
        self._tls = _load_certificate(rules)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup([])
        if self.started:
            self._listen(sockets or [])
        settle_memory()
        if hasattr(sys, "set_int_max_str_digits"):  # Not before Python 3.10.7.
            sys.set_int_max_str_digits(MAX_DIGITS)
        if self.started and self._on_ready:
            self._on_ready()

    def _listen(self, sockets: list[socket.socket]) -> None:
        warnings = Warnings()
        places = Places(_max_connections(), self._rules.trusts)

        def create_connection(on_end: Callable[[], None]) -> Connection:
            state, app_state = self.server_state, self.lifespan.state
            return Connection(
                self.config, state, app_state, warnings=warnings, on_end=on_end
            )

        for sock in sockets:
            listener = Listener(create_connection, places, warnings, self._tls)
            listener.listen(sock)
            self.servers.append(listener)  # type: ignore[arg-type]

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals from now on. uvicorn would restore the previous handlers when
        it returns, and a second Ctrl-C could then interrupt the clean-up."""
        for number in SIGNALS:
            signal.signal(number, self.handle_exit)
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        ignore_signals()
        if self.started:
            self._host.stop()
        self.should_exit = True


def settle_memory() -> None:
    """Keep the garbage collector from pausing the host, and free memory at once."""
    gc.collect()
    # A full collection of the objects made so far took 30-50 ms.
    gc.freeze()
    # Small steps for new objects: 20,000 at once took 6 ms.
    gc.set_threshold(5_000, 200, 100)
    # The log's thread waits this long for the event loop, several times per commit.
    sys.setswitchinterval(SWITCH_S)
    # Otherwise glibc keeps freed blocks of up to 32 MiB, for each thread.
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)


def serve(
    host: Stoppable,
    listener: socket.socket,
    rules: AccessRules = NO_RULES,
    on_ready: Callable[[], None] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, and until every stream has ended.

    Calls `on_ready` once, when the host answers requests. Raises CourtsideError for an
    unusable certificate.
    """
    _Server(host, rules, on_ready).run(sockets=[listener])


def _load_certificate(rules: AccessRules) -> ssl.SSLContext | None:
    """Return None without a certificate. Raises CourtsideError."""
    if not (rules.tls_cert and rules.tls_key):
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(rules.tls_cert, rules.tls_key)
    except OSError as error:  # ssl.SSLError is one.
        raise CourtsideError(
            f"tls_cert {rules.tls_cert} and tls_key {rules.tls_key} cannot be used: "
            f"{error.strerror or error}; they must be the PEM files of one certificate"
        ) from error
    return context


def listen(config: Config) -> socket.socket:
    """Bind the port, before anything else starts. Raises CourtsideError."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    try:
        listener.bind((config.host, config.port))
    except OSError as error:
        listener.close()
        problem = (
            "is already in use"
            if error.errno == errno.EADDRINUSE
            else f"cannot be used: {error.strerror}"
        )
        raise CourtsideError(
            f"Port {config.port} on {config.host} {problem}. Stop the program that "
            "uses it, or choose another port with --port (or COURTSIDE_PORT)"
        ) from error
    return listener


def _max_connections() -> int | None:
    """Reserve a quarter of the file descriptors for the log and the agents."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if files == resource.RLIM_INFINITY else files * 3 // 4


def raise_file_limit() -> None:
    """Allow as many open files as possible.

    Most shells allow 1,024. Each reader and each open task needs one.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
