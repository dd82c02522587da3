"""Runs one agent: binds the port from settings.py, then serves the app of app.py.

__main__.py calls `main`.
"""

import errno
import importlib.util
import logging
import os
import signal
import socket
import sys
import threading

from . import faults
from .settings import Settings, port_variable, read_settings

logger = logging.getLogger("agents")


def main() -> None:
    settings = read_settings(sys.argv[1:], os.environ)
    if settings.until_eof:
        threading.Thread(target=stop_at_eof, daemon=True).start()
    if problem := check_grpc(settings):
        sys.exit(problem)
    try:
        listener = listen(settings.host, settings.port)
    except OSError as error:
        sys.exit(explain_port_error(settings, error))
    serve(settings, listener)


def stop_at_eof() -> None:
    """Stop when the parent process ends: a killed parent closes the pipe."""
    # Not sys.stdin: the interpreter would wait for its lock at the end.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def listen(host: str, port: int) -> socket.socket:
    """Bind the port before the slow imports. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def explain_port_error(settings: Settings, error: OSError) -> str:
    spec = settings.spec
    where = f"{spec.name}: port {settings.port} on {settings.host}"
    if error.errno == errno.EADDRINUSE:
        return (
            f"{where} is already in use; stop what uses it "
            f"or choose another with --port (or {port_variable(spec)})"
        )
    return (
        f"{where} cannot be used ({error.strerror or error}); "
        f"choose another with --host and --port (or {port_variable(spec)})"
    )


def check_grpc(settings: Settings) -> str | None:
    """Return one line if --grpc-port cannot work."""
    name, port = settings.spec.name, settings.grpc_port
    if port is None:
        return None
    if importlib.util.find_spec("grpc") is None:
        return (
            f"{name}: --grpc-port needs the package grpcio, which is not installed; "
            "install it with: pip install 'courtside[grpc]'"
        )
    try:
        listen(settings.host, port).close()
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else error
        return f"{name}: --grpc-port {port} cannot be used ({why}); choose another"
    return None


def serve(settings: Settings, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM."""
    # The SDK reads this while it is imported. Its tracing takes a fifth of the
    # throughput even if nobody collects the traces.
    os.environ.setdefault("OTEL_INSTRUMENTATION_A2A_SDK_ENABLED", "false")
    from .app import build_app
    from .server import Server

    spec, step_s = settings.spec, settings.step_s
    configure_logging(spec.name)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{listener.getsockname()[1]}"
    app = build_app(
        faults.add_flood(spec, settings.faults, step_s),
        url,
        step_s=step_s,
        limits=settings.limits,
        grpc_address=f"{host}:{settings.grpc_port}" if settings.grpc_port else None,
    )
    if settings.faults:
        app.add_middleware(faults.FaultyApp, faults=settings.faults)
        logger.warning("event=faulty faults=%s", faults.format_faults(settings.faults))
    logger.info("event=listening url=%s step_s=%s", url, step_s)
    try:
        Server(app).run(sockets=[listener])
    finally:
        logger.info("event=stopped")


def configure_logging(agent_name: str) -> None:
    handler = logging.StreamHandler()
    line = f"agent={agent_name} level=%(levelname)s %(message)s"
    handler.setFormatter(OneLineFormatter(line))
    logging.basicConfig(handlers=[handler])
    logger.setLevel(logging.INFO)
    # The SDK warns about each wrong request, and the client gets the error anyway.
    logging.getLogger("a2a").setLevel(logging.ERROR)


class OneLineFormatter(logging.Formatter):
    """Escapes line ends and control characters, which a client may have sent."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
