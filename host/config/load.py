"""Reads all settings: flags, COURTSIDE_* variables and courtside.toml.

`read` returns a frozen `Config`. The wiring passes its parts to the packages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..errors import ConfigError
from ..plans.default_plan import get_default_plans
from ..plans.plan import Plan
from .access_rules import AccessRules, check_access_rules
from .address_rules import ANY_ADDRESS, LOOPBACK
from .agent_name import suggest_name
from .agent_settings import AgentSettings, read_credentials
from .conversion import SettingError, convert
from .secret_refs import is_reference, resolve
from .settings import (
    CONFIG_FILE,
    SECRETS,
    SETTINGS,
    HostSettings,
    Setting,
    parse_number,
)
from .toml_file import SettingsFile

DEMO_PORTS = {"carly": 8001, "walter": 8002, "logan": 8003, "nancy": 8004}
DEFAULT = "default"


class CommandLineAgents(NamedTuple):
    """URLs from the command line, and the agents of --demo: URLs by name."""

    urls: Sequence[str] = ()
    demo: Mapping[str, str] = {}


NO_AGENTS = CommandLineAgents()


class Source(NamedTuple):
    """A setting's value as text, and where it comes from."""

    text: str
    where: str


@dataclass(frozen=True)
class Config:
    """All settings, checked."""

    host: str
    port: int
    data_dir: Path
    log: str
    keep_events: int
    keep_s: float | None
    agents: Mapping[str, AgentSettings]
    keep_bytes: int | None = None
    log_format: str = "logfmt"
    trace: bool = False
    otel_service: str | None = None
    """The service name of exported spans; None: spans are not exported."""
    file: Path | None = None
    """The path of courtside.toml, even if it does not exist."""
    plans: Mapping[str, Plan] = field(default_factory=dict)
    """The plans of the host's own agent, by key."""
    sources: Mapping[str, Source] = field(default_factory=dict)
    """The source of each setting (`port`) and agent (`agents.carly`). A secret's text
    is only "set" or "not set"."""
    access: AccessRules = field(default_factory=AccessRules)

    @property
    def url(self) -> str:
        return _url(self.access.scheme, self.host, self.port)

    @property
    def has_only_default_agents(self) -> bool:
        """Whether no agents are configured, so that the demo agents are followed."""
        return all(self.sources[f"agents.{a}"].where == DEFAULT for a in self.agents)


def read(
    flags: Mapping[str, str],
    environ: Mapping[str, str],
    cwd: Path,
    command_line: CommandLineAgents = NO_AGENTS,
) -> Config:
    """Read all settings: flags override variables, which override the file.

    `flags` has the flags that are set, by the name of the setting (`data_dir`), and
    `config`. Raises ConfigError.
    """
    path, file = _open_file(flags, environ, cwd)
    agents, sources = _read_agents(file, environ, command_line)
    plans = file.plans(agents)
    settings, found = _read_settings(SETTINGS, flags, environ, cwd, file)
    is_local = settings.host in LOOPBACK and not (
        settings.allowed_hosts or settings.trusted_proxies
    )
    access = AccessRules(
        token=settings.token,
        read_token=settings.read_token,
        tls_cert=cwd / settings.tls_cert if settings.tls_cert else None,
        tls_key=cwd / settings.tls_key if settings.tls_key else None,
        trusted_proxies=settings.proxy_networks(),
        allowed_hosts=tuple(name.lower() for name in settings.allowed_hosts),
        allowed_origins=settings.allowed_origins,
        private_agents=settings.private_agents == "yes"
        or (settings.private_agents == "auto" and is_local),
    )
    exports = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    return Config(
        host=settings.host,
        port=settings.port,
        data_dir=cwd / settings.data_dir,
        log=settings.log,
        keep_events=settings.keep_events,
        keep_s=settings.keep_s or None,
        keep_bytes=settings.keep_bytes or None,
        agents=agents,
        log_format=settings.log_format,
        trace=settings.trace == "on",
        otel_service=environ.get("OTEL_SERVICE_NAME", "courtside") if exports else None,
        file=path,
        plans=get_default_plans(agents) if plans is None else plans,
        sources={**found, **sources},
        access=check_access_rules(access, settings.host, found["host"].where),
    )


def read_agents(
    file: Path,
    environ: Mapping[str, str],
    command_line: CommandLineAgents = NO_AGENTS,
) -> dict[str, AgentSettings]:
    """Read only the agents, while the host runs. Raises ConfigError as `read` does."""
    found = SettingsFile.read(file, must_exist=False)
    return _read_agents(found, environ, command_line)[0]


def read_address(environ: Mapping[str, str], cwd: Path) -> str:
    """Return the URL of the host that is started in `cwd`. Raises ConfigError."""
    _, file = _open_file({}, environ, cwd)
    used = [one for one in SETTINGS if one.name in ("host", "port", "tls_cert")]
    settings, _ = _read_settings(used, {}, environ, cwd, file)
    scheme = "https" if settings.tls_cert else "http"
    return _url(scheme, settings.host, settings.port)


def read_data_dir(environ: Mapping[str, str], cwd: Path) -> Path:
    """Return the data folder of the host in `cwd`. Raises ConfigError."""
    _, file = _open_file({}, environ, cwd)
    used = [one for one in SETTINGS if one.name == "data_dir"]
    settings, _ = _read_settings(used, {}, environ, cwd, file)
    return cwd / settings.data_dir


def read_demo_ports(environ: Mapping[str, str]) -> dict[str, int]:
    """Return the ports of the demo agents; the Procfile reads the same variables.

    Raises ConfigError.
    """
    ports = {}
    for name, default in DEMO_PORTS.items():
        variable = f"{name.upper()}_PORT"
        port = parse_number(environ.get(variable) or str(default))
        try:
            ports[name] = convert({"port": port}, HostSettings).port
        except SettingError as error:
            raise ConfigError(f"{variable} {error.why}") from None
    return ports


def _url(scheme: str, host: str, port: int) -> str:
    name = LOOPBACK[0] if host in ANY_ADDRESS else host
    return f"{scheme}://{f'[{name}]' if ':' in name else name}:{port}"


def _open_file(
    flags: Mapping[str, str], environ: Mapping[str, str], cwd: Path
) -> tuple[Path, SettingsFile]:
    """A file named in a flag or variable must exist; courtside.toml need not."""
    named = flags.get("config") or environ.get("COURTSIDE_CONFIG")
    path = cwd / (named or CONFIG_FILE)
    return path, SettingsFile.read(path, must_exist=bool(named))


def _read_settings(
    wanted: Sequence[Setting],
    flags: Mapping[str, str],
    environ: Mapping[str, str],
    cwd: Path,
    file: SettingsFile,
) -> tuple[HostSettings, dict[str, Source]]:
    values: dict[str, object] = {}
    sources = {}
    for setting in wanted:
        value: object
        if setting.name in flags:
            value, where = flags[setting.name], setting.flag
        elif environ.get(setting.variable):
            value, where = environ[setting.variable], setting.variable
        elif setting.name in file.host:
            value, where = file.host[setting.name], file.where(f"host.{setting.name}")
        else:
            value, where = setting.default, DEFAULT
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        if setting.name in SECRETS:
            value = _resolve_secret(text, where, environ, cwd)
            text = "set" if text else "not set"
        elif type(value) is int:
            value = text
        values[setting.name] = setting.parse(value) if isinstance(value, str) else value
        sources[setting.name] = Source(text, where)
    try:
        return convert(values, HostSettings, SECRETS), sources
    except SettingError as error:
        raise ConfigError(f"{sources[error.key].where} {error.why}") from None


def _resolve_secret(
    text: str, where: str, environ: Mapping[str, str], cwd: Path
) -> str:
    """A flag must be a reference, because `ps` shows flags to everybody."""
    if where.startswith("--") and not is_reference(text):
        raise ConfigError(
            f"{where} is visible to every user of this machine: use {where} env:NAME "
            "or file:PATH, or the variable"
        )
    try:
        return resolve(text, environ, cwd)
    except ConfigError as error:
        raise ConfigError(f"{where} {error}") from None


def _read_agents(
    file: SettingsFile,
    environ: Mapping[str, str],
    command_line: CommandLineAgents,
) -> tuple[dict[str, AgentSettings], dict[str, Source]]:
    """Return the agents of the file, then those of the command line. If there are
    none: the demo agents."""
    agents = file.agents(environ)
    sources = {
        f"agents.{name}": Source(agent.url, file.where(f"agents.{name}"))
        for name, agent in agents.items()
    }

    def add(name: str, url: str, where: str) -> None:
        credentials = read_credentials(name, environ)
        agents[name] = AgentSettings(url, credentials=credentials)
        sources[f"agents.{name}"] = Source(url, where)

    for name, url in command_line.demo.items():
        if all(url != agent.url for agent in agents.values()):
            add(name if name not in agents else f"{name}-demo", url, "--demo")
    for url in command_line.urls:
        if all(url != agent.url for agent in agents.values()):
            add(suggest_name(url, agents), url, "argument")
    if not agents:
        for name, port in read_demo_ports(environ).items():
            where = DEFAULT if port == DEMO_PORTS[name] else f"{name.upper()}_PORT"
            add(name, f"http://{LOOPBACK[0]}:{port}", where)
    return agents, sources
