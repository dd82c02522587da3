"""Owns the configuration: flags, COURTSIDE_* variables and courtside.toml, read once.

The composition root reads a frozen `Config` and hands each part what it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from host import settings
from host.agent_settings import AgentSettings, credentials_of
from host.errors import ConfigError
from host.plans import Plan, built_in
from host.settings import Setting
from host.settings_file import SettingsFile, credentials_in

CONFIG_FILE = "courtside.toml"
STUBS = {"carly": 8001, "walter": 8002, "logan": 8003, "nancy": 8004}

T = TypeVar("T")


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
    log_format: str = "logfmt"
    trace: bool = False
    spans_of: str | None = None
    """The service that spans are exported of, where OpenTelemetry is told where to."""
    file: Path | None = None
    """The settings file, or where it would be."""
    plans: Mapping[str, Plan] = field(default_factory=dict)
    """What the host itself can be asked for, by key."""


def read(flags: Mapping[str, str], environ: Mapping[str, str], cwd: Path) -> Config:
    """A flag wins over its variable, that over the file, that over the default.

    `flags` are those that were given, by the setting's name (`data_dir`), and `config`.
    Raises ConfigError naming the setting, where it stands and what it may be.
    """
    named = flags.get("config") or environ.get("COURTSIDE_CONFIG")
    path = cwd / (named or CONFIG_FILE)
    file = SettingsFile.read(path) if named else SettingsFile.read_if_there(path)

    def value(setting: Setting[T]) -> T:
        text, where = _look_up(setting, flags, environ, file)
        return _parse(setting.parse, text, where)

    agents = file.agents(environ) or _stub_agents(environ)
    plans = file.plans(agents)
    return Config(
        host=value(settings.HOST),
        port=value(settings.PORT),
        data_dir=cwd / value(settings.DATA_DIR),
        log=value(settings.LOG),
        keep_events=value(settings.KEEP_EVENTS),
        keep_s=value(settings.KEEP_S) or None,
        agents=agents,
        log_format=value(settings.LOG_FORMAT),
        trace=value(settings.TRACE),
        spans_of=_service(environ),
        file=path,
        plans=built_in(agents) if plans is None else plans,
    )


def _look_up(
    setting: Setting[T],
    flags: Mapping[str, str],
    environ: Mapping[str, str],
    file: SettingsFile,
) -> tuple[str, str]:
    """The value's text and where it stands."""
    if setting.name in flags:
        return flags[setting.name], setting.flag
    if environ.get(setting.variable):
        return environ[setting.variable], setting.variable
    return file.host_setting(setting.name, setting.default)


def _parse(parse: Callable[[str], T], text: str, where: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None


def read_agents(file: Path, environ: Mapping[str, str]) -> dict[str, AgentSettings]:
    """The agents alone, read again at run time. Raises ConfigError as `read` does."""
    found = SettingsFile.read_if_there(file).agents(environ)
    return found or _stub_agents(environ)


def _service(environ: Mapping[str, str]) -> str | None:
    exports = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    return environ.get("OTEL_SERVICE_NAME", "courtside") if exports else None


def _stub_agents(environ: Mapping[str, str]) -> dict[str, AgentSettings]:
    """The four of the Procfile, which reads the same variables."""
    agents = {}
    for name, port in STUBS.items():
        variable = f"{name.upper()}_PORT"
        chosen = _parse(settings.port, environ.get(variable) or str(port), variable)
        agents[name] = AgentSettings(
            f"http://127.0.0.1:{chosen}",
            credentials=credentials_of(credentials_in(environ, name)),
        )
    return agents
