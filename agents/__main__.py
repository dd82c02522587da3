"""Owns an agent as a process: `python -m agents carly --port 8001`.

Takes the port that settings.py read, then serves what serve.py builds.
"""

import errno
import importlib.util
import logging
import os
import signal
import socket
import sys
import threading

from agents import faults
from agents.settings import Settings, port_variable_of, read_settings

logger = logging.getLogger("agents")


def main() -> None:
    settings = read_settings(sys.argv[1:], os.environ)
    end_with_0_when_asked()
    if settings.until_eof:
        threading.Thread(target=end_with_stdin, daemon=True).start()
    if why_not := why_no_grpc(settings):
        sys.exit(why_not)
    try:
        listener = listen(settings.host, settings.port)
    except OSError as error:
        sys.exit(why_not_listening(settings, error))
    serve(settings, listener)


def end_with_0_when_asked() -> None:
    """On SIGINT and SIGTERM, until uvicorn handles them: at once.

    An exception in the middle of an import would be reported.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda signum, frame: os._exit(0))


def end_with_stdin() -> None:
    """However its other end went: a killed process can tell nobody that it ends."""
    # Not sys.stdin: at the interpreter's end a lock of its own would be held.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def listen(host: str, port: int) -> socket.socket:
    """Takes the port before anything slow is imported. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def why_not_listening(settings: Settings, error: OSError) -> str:
    """One line: what could not be had, where, and what to do."""
    name, variable = settings.character.name, port_variable_of(settings.character)
    where = f"{name}: port {settings.port} on {settings.host}"
    if error.errno == errno.EADDRINUSE:
        return (
            f"{where} is already in use; stop what uses it "
            f"or choose another with --port (or {variable})"
        )
    why = error.strerror or str(error)
    return (
        f"{where} cannot be used ({why}); "
        f"choose another with --host and --port (or {variable})"
    )


def why_no_grpc(settings: Settings) -> str | None:
    """One line where --grpc-port was given and cannot work, None otherwise."""
    name, port = settings.character.name, settings.grpc_port
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
    """Serves until SIGINT or SIGTERM."""
    # Read by the SDK while it is imported, hence the imports below it. Its tracing
    # costs a fifth of the throughput and more, even with nobody listening.
    os.environ.setdefault("OTEL_INSTRUMENTATION_A2A_SDK_ENABLED", "false")
    from agents.serve import Server, build_app

    character, step_s, faulty = settings.character, settings.step_s, settings.faults
    handler = logging.StreamHandler()
    form = f"agent={character.name} level=%(levelname)s %(message)s"
    handler.setFormatter(_OneLine(form))
    logging.basicConfig(handlers=[handler])
    logger.setLevel(logging.INFO)
    # It warns of every request that a client got wrong; the client is told anyway.
    logging.getLogger("a2a").setLevel(logging.ERROR)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{listener.getsockname()[1]}"
    app = build_app(
        faults.flooding(character, faulty, step_s),
        url,
        step_s=step_s,
        limits=settings.limits,
        grpc_address=f"{host}:{settings.grpc_port}" if settings.grpc_port else None,
    )
    if faulty:
        app.add_middleware(faults.FaultyApp, faults=faulty)
        logger.warning("event=faulty faults=%s", faults.as_asked(faulty))
    logger.info("event=listening url=%s step_s=%s", url, step_s)
    try:
        Server(app).run(sockets=[listener])
    finally:
        # Ctrl-C under a process manager comes twice, and the interpreter takes a tenth
        # of a second to end, in which a second one would kill it with another code.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        logger.info("event=stopped")


class _OneLine(logging.Formatter):
    """Callers' text may hold line ends, and what a terminal would act on."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


if __name__ == "__main__":
    main()
