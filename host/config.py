"""Owns the settings: flags, COURTSIDE_* variables and courtside.toml, read once.

The composition root reads a frozen `Config` and hands each part what it needs.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from host.agent_settings import AgentSettings, credentials_of
from host.errors import ConfigError
from host.plans import Plan, built_in
from host.settings_file import SettingsFile, credentials_in

CONFIG_FILE = "courtside.toml"
LOGS = ("sqlite", "memory")
STUBS = {"carly": 8001, "walter": 8002, "logan": 8003, "nancy": 8004}
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Config:
    """Everything the host is told from outside."""

    host: str
    port: int
    data_dir: Path
    log: str
    keep_events: int
    keep_s: float | None
    agents: Mapping[str, AgentSettings]
    file: Path | None = None
    """The settings file, or where it would be."""
    plans: Mapping[str, Plan] = field(default_factory=dict)
    """What the host itself can be asked for, by key."""


def read(argv: list[str], environ: Mapping[str, str], cwd: Path) -> Config:
    """A flag wins over its variable, that over the file, that over the default.

    Raises ConfigError naming the setting, where it stands and what it may be.
    """
    flags = vars(_parser().parse_args(argv))
    named = flags["config"] or environ.get("COURTSIDE_CONFIG")
    path = cwd / (named or CONFIG_FILE)
    file = SettingsFile.read(path) if named else SettingsFile.read_if_there(path)

    def setting(name: str, default: str) -> tuple[str, str]:
        """The value and where it stands."""
        if flags[name] is not None:
            return flags[name], f"--{name.replace('_', '-')}"
        variable = f"COURTSIDE_{name.upper()}"
        if environ.get(variable):
            return environ[variable], variable
        return file.host_setting(name, default)

    host, host_at = setting("host", "127.0.0.1")
    if host not in LOOPBACK:
        raise ConfigError(
            f"{host_at}: the host listens on this machine only, not on {host!r}: "
            f"use one of {', '.join(LOOPBACK)}"
        )
    log, log_at = setting("log", "sqlite")
    if log not in LOGS:
        raise ConfigError(f"{log_at}: {log!r} is not a log: use {' or '.join(LOGS)}")
    data_dir, _ = setting("data_dir", ".courtside")
    agents = file.agents(environ) or _stub_agents(environ)
    plans = file.plans(agents)
    return Config(
        host=host,
        port=_port(*setting("port", "8000")),
        data_dir=cwd / data_dir,
        log=log,
        keep_events=_count(*setting("keep_events", "1000000")),
        keep_s=_count(*setting("keep_s", "0")) or None,
        agents=agents,
        file=path,
        plans=built_in(agents) if plans is None else plans,
    )


def read_agents(file: Path, environ: Mapping[str, str]) -> dict[str, AgentSettings]:
    """The agents alone, read again at run time. Raises ConfigError as `read` does."""
    found = SettingsFile.read_if_there(file).agents(environ)
    return found or _stub_agents(environ)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="courtside",
        description="Shows every A2A agent you run, live, in one feed.",
        epilog="Each flag can be given as a variable, too: COURTSIDE_PORT=9000.",
    )
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", help="port to listen on (8000)")
    parser.add_argument("--config", help=f"settings file ({CONFIG_FILE} if there)")
    parser.add_argument("--data-dir", help="where the log is kept (.courtside)")
    parser.add_argument("--log", help="sqlite or memory (sqlite)")
    parser.add_argument("--keep-events", help="events the log keeps (1000000)")
    parser.add_argument("--keep-s", help="seconds it keeps them, 0 for ever (0)")
    return parser


def _port(value: str, where: str) -> int:
    if not is_number(value) or not 0 < int(value) < 65536:
        raise ConfigError(f"{where}: {value!r} is not a port: use 1 to 65535")
    return int(value)


def _count(value: str, where: str) -> int:
    if not is_number(value):
        raise ConfigError(f"{where}: {value!r} is not a whole number, 0 or more")
    return int(value)


def is_number(text: str) -> bool:
    """Digits only: `int` takes signs and blanks, `isdigit` takes a superscript."""
    return text.isascii() and text.isdigit()


def _stub_agents(environ: Mapping[str, str]) -> dict[str, AgentSettings]:
    """The four of the Procfile, which reads the same variables."""
    agents = {}
    for name, port in STUBS.items():
        variable = f"{name.upper()}_PORT"
        chosen = _port(environ.get(variable) or str(port), variable)
        agents[name] = AgentSettings(
            f"http://127.0.0.1:{chosen}",
            credentials=credentials_of(credentials_in(environ, name)),
        )
    return agents
