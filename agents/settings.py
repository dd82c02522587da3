"""Owns what an agent can be told: its command line, its variables, the defaults.

__main__.py reads them once and serves accordingly.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from agents import faults
from agents.cast import CAST, default_port, find
from agents.faults import Faults
from agents.limits import DEFAULT_LIMITS, Limits
from agents.steps import Character

LONGEST_STEP_S = 86400
MOST_TASKS = 1_000_000
LONGEST_AGE_S = 1_000_000_000


@dataclass(frozen=True)
class Settings:
    """What the command line and the environment said, checked."""

    character: Character
    host: str
    port: int
    step_s: float
    faults: Faults = field(default_factory=dict)
    limits: Limits = DEFAULT_LIMITS
    grpc_port: int | None = None
    until_eof: bool = False


@dataclass(frozen=True)
class Number:
    """A number that can be set: how, what it is, from `least` to `most`."""

    flag: str
    what: str
    most: int
    variable: str = ""
    least: int = 0
    whole: bool = False

    def read(
        self, flag: str | None, environ: Mapping[str, str], default: float
    ) -> float:
        """The flag wins over the variable. Raises ValueError, for a person."""
        text = flag or environ.get(self.variable) or str(default)
        try:
            number = float(text)
        except ValueError:
            number = -1
        if not self.least <= number <= self.most or (self.whole and number % 1):
            how = f"{self.flag} (or {self.variable})" if self.variable else self.flag
            unit = "a number" if self.whole else "seconds"
            raise ValueError(
                f"{text!r} is no {self.what}; give {how} {unit} "
                f"from {self.least} to {self.most}"
            )
        return number


def read_settings(arguments: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """Flags win over COURTSIDE_STEP_S and the like. Exits with 2 on nonsense."""
    parser = _command_line()
    flags = parser.parse_args(arguments)
    try:
        character = find(flags.name)
    except ValueError as error:
        parser.error(str(error))
    port = Number("--port", "port", 65535, port_variable_of(character), whole=True)
    step_s = Number("--step-s", "time", LONGEST_STEP_S, "COURTSIDE_STEP_S")
    grpc_port = Number("--grpc-port", "port", 65535, least=1, whole=True)
    try:
        return Settings(
            character,
            flags.host,
            int(port.read(flags.port, environ, default_port(character))),
            step_s.read(flags.step_s, environ, 1.0),
            faults.read_faults(flags.fault or faults.listed_in(environ)),
            _limits(flags, environ),
            int(grpc_port.read(flags.grpc_port, {}, 0)) if flags.grpc_port else None,
            flags.until_eof,
        )
    except ValueError as error:
        parser.error(str(error))


def port_variable_of(character: Character) -> str:
    return f"{character.name.upper()}_PORT"


def _limits(flags: argparse.Namespace, environ: Mapping[str, str]) -> Limits:
    tasks = Number(
        "--keep-tasks", "count", MOST_TASKS, "COURTSIDE_KEEP_TASKS", whole=True
    )
    age_s = Number("--keep-s", "time", LONGEST_AGE_S, "COURTSIDE_KEEP_S")
    return replace(
        DEFAULT_LIMITS,
        tasks=int(tasks.read(flags.keep_tasks, environ, DEFAULT_LIMITS.tasks)),
        age_s=age_s.read(flags.keep_s, environ, DEFAULT_LIMITS.age_s),
    )


def _command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m agents",
        description="Start one A2A agent on its own port.",
        epilog=faults.explained(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "name", metavar="NAME", help=f"one of: {', '.join(CAST)}; or a file: my.py"
    )
    parser.add_argument("--port", help="default: 8001 for carly … 8005 for a file")
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s")
    parser.add_argument(
        "--grpc-port", help="serve gRPC there, too; needs courtside[grpc]"
    )
    parser.add_argument("--step-s", help="seconds per step of a script; default: 1.0")
    parser.add_argument(
        "--keep-tasks",
        help="how many tasks that are over, and how many that wait; default: 1000",
    )
    parser.add_argument(
        "--keep-s", help="how many seconds they are kept; default: a day"
    )
    parser.add_argument(
        "--until-eof",
        action="store_true",
        help="end when standard input does: whoever held it is gone",
    )
    parser.add_argument(
        "--fault",
        action="append",
        metavar="NAME[=VALUE]",
        help="misbehave on purpose; may be given more than once",
    )
    return parser
