"""Owns an agent's command line: `python -m agents carly --port 8001`.

Reads the settings once, takes the port, then serves what serve.py builds.
"""

import argparse
import errno
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import FrameType

from agents.carly import CARLY
from agents.logan import LOGAN
from agents.nancy import NANCY
from agents.steps import Character
from agents.walter import WALTER

CAST = {character.name: character for character in (CARLY, WALTER, LOGAN, NANCY)}
FIRST_PORT = 8001
LONGEST_STEP_S = 86400

logger = logging.getLogger("agents")


@dataclass(frozen=True)
class Settings:
    """What the command line and the environment said, checked."""

    character: Character
    host: str
    port: int
    step_s: float


def main() -> None:
    settings = read_settings(sys.argv[1:], os.environ)
    end_with_0_when_asked()
    try:
        listener = listen(settings.host, settings.port)
    except OSError as error:
        sys.exit(why_not_listening(settings, error))
    serve(settings.character, listener, settings.host, settings.step_s)


def read_settings(arguments: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """Flags win over COURTSIDE_STEP_S and CARLY_PORT. Exits with 2 on nonsense."""
    names = ", ".join(CAST)
    parser = argparse.ArgumentParser(
        prog="python -m agents", description="Start one A2A agent on its own port."
    )
    parser.add_argument("name", metavar="NAME", help=f"one of: {names}")
    parser.add_argument("--port", help="default: 8001 for carly, 8002 for walter…")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    parser.add_argument("--step-s", help="seconds per step of a script; default: 1.0")
    flags = parser.parse_args(arguments)
    character = CAST.get(flags.name)
    if character is None:
        parser.error(f"there is no agent {flags.name!r}; choose one of: {names}")
    port_variable = port_variable_of(character)
    port_s = flags.port or environ.get(port_variable) or str(_default_port(character))
    step_s = flags.step_s or environ.get("COURTSIDE_STEP_S") or "1.0"
    port = _between(0, port_s, 65535)
    if port is None or port != int(port):
        parser.error(
            f"{port_s!r} is no port; give --port (or {port_variable}) "
            "a number from 0 to 65535"
        )
    seconds = _between(0, step_s, LONGEST_STEP_S)
    if seconds is None:
        parser.error(
            f"{step_s!r} is no time; give --step-s (or COURTSIDE_STEP_S) "
            f"seconds from 0 to {LONGEST_STEP_S}"
        )
    return Settings(character, flags.host, int(port), seconds)


def end_with_0_when_asked() -> None:
    """SIGINT and SIGTERM raise SystemExit(0), before and after uvicorn handles them."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)


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


def serve(
    character: Character, listener: socket.socket, host: str, step_s: float
) -> None:
    """Serves until SIGINT or SIGTERM; uvicorn then signals itself once more."""
    # Read by the SDK while it is imported, hence the imports below it. Its tracing
    # costs a fifth of the throughput and more, even with nobody listening.
    os.environ.setdefault("OTEL_INSTRUMENTATION_A2A_SDK_ENABLED", "false")
    from agents.serve import Server, build_app

    logging.basicConfig(
        format=f"agent={character.name} level=%(levelname)s %(message)s",
        stream=sys.stderr,
    )
    logger.setLevel(logging.INFO)
    # It warns of every request that a client got wrong; the client is told anyway.
    logging.getLogger("a2a").setLevel(logging.ERROR)
    port = listener.getsockname()[1]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    app = build_app(character, url, step_s=step_s)
    logger.info("event=listening url=%s step_s=%s", url, step_s)
    try:
        Server(app).run(sockets=[listener])
    finally:
        logger.info("event=stopped")


def port_variable_of(character: Character) -> str:
    return f"{character.name.upper()}_PORT"


def _between(least: float, text: str, most: float) -> float | None:
    """The number that `text` is, None where it is none in that range."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if least <= number <= most else None


def _default_port(character: Character) -> int:
    return FIRST_PORT + list(CAST).index(character.name)


def _leave(signum: int, frame: FrameType | None) -> None:
    # Ctrl-C under a process manager comes twice, and the interpreter's own end takes a
    # tenth of a second in which a second signal would kill it with another exit code.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise SystemExit(0)


if __name__ == "__main__":
    main()
