"""Reads an agent's settings: the command line, environment variables, defaults.

process.py starts the agent with them.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from . import faults
from .faults import Faults
from .limits import DEFAULT_LIMITS, Limits
from .steps import AgentSpec
from .stubs import STUBS, default_port, find_agent

MAX_PORT = 65535
MAX_STEP_S = 86400
MAX_TASKS = 1_000_000
MAX_AGE_S = 1_000_000_000


@dataclass(frozen=True)
class Settings:
    """The checked settings of one agent."""

    spec: AgentSpec
    host: str
    port: int
    step_s: float
    faults: Faults = field(default_factory=dict)
    limits: Limits = DEFAULT_LIMITS
    grpc_port: int | None = None
    until_eof: bool = False


def read_settings(arguments: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """Options override variables. Exits with code 2 if a value is wrong."""
    parser = _build_parser()
    options = parser.parse_args(arguments)
    try:
        spec = find_agent(options.name)
        port = Number("--port", port_variable(spec), MAX_PORT)
        grpc_port = Number("--grpc-port", "", MAX_PORT, least=1)
        step_s = Number("--step-s", "COURTSIDE_STEP_S", MAX_STEP_S, is_whole=False)
        tasks = Number("--keep-tasks", "COURTSIDE_KEEP_TASKS", MAX_TASKS)
        age_s = Number("--keep-s", "COURTSIDE_KEEP_S", MAX_AGE_S, is_whole=False)
        limits = replace(
            DEFAULT_LIMITS,
            tasks=int(tasks.read(options.keep_tasks, environ, DEFAULT_LIMITS.tasks)),
            age_s=age_s.read(options.keep_s, environ, DEFAULT_LIMITS.age_s),
        )
        return Settings(
            spec=spec,
            host=options.host,
            port=int(port.read(options.port, environ, default_port(spec))),
            step_s=step_s.read(options.step_s, environ, 1.0),
            faults=faults.parse_faults(options.fault or faults.read_variable(environ)),
            limits=limits,
            grpc_port=int(grpc_port.read(options.grpc_port, {}, 0))
            if options.grpc_port
            else None,
            until_eof=options.until_eof,
        )
    except ValueError as error:
        parser.error(str(error))


def port_variable(spec: AgentSpec) -> str:
    return f"{spec.name.upper()}_PORT"


@dataclass(frozen=True)
class Number:
    """A setting that is a number from `least` to `most`: whole, or in seconds."""

    option: str
    variable: str
    most: int
    least: int = 0
    is_whole: bool = True

    def read(
        self, option: str | None, environ: Mapping[str, str], default: float
    ) -> float:
        """Return the value. Raises ValueError with a message for the user."""
        text = option or environ.get(self.variable) or str(default)
        try:
            number = float(text)
        except ValueError:
            number = -1
        if not self.least <= number <= self.most or (self.is_whole and number % 1):
            where = self.option + (f" (or {self.variable})" if self.variable else "")
            kind = "a whole number" if self.is_whole else "a number of seconds"
            raise ValueError(
                f"{where} must be {kind} from {self.least} to {self.most}, not {text!r}"
            )
        return number


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m {__package__}",
        description="Start one A2A agent on its own port.",
        epilog=faults.describe_faults(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    ports = ", ".join(
        f"{default_port(stub)} for {name}" for name, stub in STUBS.items()
    )
    parser.add_argument(
        "name",
        metavar="NAME",
        help=f"a demo agent ({', '.join(STUBS)}), or a Python file such as my.py",
    )
    parser.add_argument("--port", help=f"default: {ports}")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    parser.add_argument(
        "--grpc-port", help="also serve gRPC on this port; needs courtside[grpc]"
    )
    parser.add_argument("--step-s", help="seconds per step of a script; default: 1.0")
    parser.add_argument(
        "--keep-tasks",
        help="maximum number of stored finished tasks, and of stored waiting tasks; "
        f"default: {DEFAULT_LIMITS.tasks}",
    )
    parser.add_argument("--keep-s", help="seconds to keep stored tasks; default: 86400")
    parser.add_argument(
        "--until-eof", action="store_true", help="stop when standard input is closed"
    )
    parser.add_argument(
        "--fault",
        action="append",
        metavar="NAME[=VALUE]",
        help="misbehave on purpose; can be given more than once",
    )
    return parser
