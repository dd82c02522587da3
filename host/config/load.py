"""Owns the configuration: flags, COURTSIDE_* variables and courtside.toml, read once.

The composition root reads a frozen `Config` and hands each part what it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, TypeVar

from ..errors import ConfigError
from ..plans.default_plan import get_default_plans
from ..plans.plan import Plan
from . import settings
from .access_rules import AccessRules, check_access_rules
from .address_rules import ANY_ADDRESS, LOOPBACK
from .agent_name import suggest_name
from .agent_settings import AgentSettings, credentials_of
from .secret_refs import is_elsewhere, looked_up
from .settings import CONFIG_FILE, Setting
from .toml_file import SettingsFile, credentials_in

STUBS = {"carly": 8001, "walter": 8002, "logan": 8003, "nancy": 8004}
DEFAULT = "default"

T = TypeVar("T")


class Asked(NamedTuple):
    """Agents of the command line: URLs, and those that it starts, by name."""

    urls: Sequence[str] = ()
    demo: Mapping[str, str] = {}


NOBODY = Asked()


class Stated(NamedTuple):
    """A setting's value as it was written, and where that stands."""

    text: str
    where: str


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
    stated: Mapping[str, Stated] = field(default_factory=dict)
    """Each setting and each agent's URL as it was told, by `port`, `agents.carly`; of
    a secret, whether it is set."""
    access: AccessRules = field(default_factory=AccessRules)

    @property
    def url(self) -> str:
        """Where the host is found."""
        return _url(self.access.scheme, self.host, self.port)

    @property
    def follows_only_stubs(self) -> bool:
        """Nobody named any agent: those of the Procfile are followed."""
        return all(self.stated[f"agents.{a}"].where == DEFAULT for a in self.agents)


def read(
    flags: Mapping[str, str],
    environ: Mapping[str, str],
    cwd: Path,
    asked: Asked = NOBODY,
) -> Config:
    """A flag wins over its variable, that over the file, that over the default.

    `flags` are those that were given, by the setting's name (`data_dir`), and `config`.
    Raises ConfigError naming the setting, where it stands and what it may be.
    """
    path, file = _file(flags, environ, cwd)
    stated: dict[str, Stated] = {}

    def value(setting: Setting[T]) -> T:
        text, where = _look_up(setting, flags, environ, file)
        shown = ("set" if text else "not set") if setting.secret else text
        stated[setting.name] = Stated(shown, where)
        if setting.secret:
            text = _secret(text, where, environ, cwd)
        return _parse(setting.parse, text, where)

    def path_of(setting: Setting[str]) -> Path | None:
        text = value(setting)
        return cwd / text if text else None

    agents = _agents(file, environ, asked, stated)
    plans = file.plans(agents)
    host, private = value(settings.HOST), value(settings.PRIVATE_AGENTS)
    rules = AccessRules(
        token=value(settings.TOKEN),
        read_token=value(settings.READ_TOKEN),
        tls_cert=path_of(settings.TLS_CERT),
        tls_key=path_of(settings.TLS_KEY),
        trusted_proxies=value(settings.TRUSTED_PROXIES),
        allowed_hosts=value(settings.ALLOWED_HOSTS),
        allowed_origins=value(settings.ALLOWED_ORIGINS),
    )
    if private is None:
        private = host in LOOPBACK and not rules.is_exposed
    rules = replace(rules, private_agents=private)
    return Config(
        host=host,
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
        plans=get_default_plans(agents) if plans is None else plans,
        stated=stated,
        access=check_access_rules(rules, host, stated["host"].where),
    )


def address(environ: Mapping[str, str], cwd: Path) -> str:
    """Where the host that is started in `cwd` is found. Raises ConfigError."""
    _, file = _file({}, environ, cwd)
    host, _ = _look_up(settings.HOST, {}, environ, file)
    port = _parse(settings.port, *_look_up(settings.PORT, {}, environ, file))
    cert, _ = _look_up(settings.TLS_CERT, {}, environ, file)
    return _url("https" if cert else "http", host, port)


def _url(scheme: str, host: str, port: int) -> str:
    name = "127.0.0.1" if host in ANY_ADDRESS else host
    return f"{scheme}://{f'[{name}]' if ':' in name else name}:{port}"


def _file(
    flags: Mapping[str, str], environ: Mapping[str, str], cwd: Path
) -> tuple[Path, SettingsFile]:
    """The settings file, or where it would be. It must be there if it was named."""
    named = flags.get("config") or environ.get("COURTSIDE_CONFIG")
    path = cwd / (named or CONFIG_FILE)
    there = SettingsFile.read(path) if named else SettingsFile.read_if_there(path)
    return path, there


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
    if file.sets(setting.name):
        return file.host_setting(setting.name, setting.default)
    return setting.default, DEFAULT


def _secret(text: str, where: str, environ: Mapping[str, str], cwd: Path) -> str:
    """What it points to; a flag must point, for `ps` shows flags to everybody."""
    if where.startswith("--") and not is_elsewhere(text):
        raise ConfigError(
            f"{where}: everybody on this machine can read it there: use {where} "
            "env:NAME or file:PATH, or the variable"
        )
    try:
        return looked_up(text, environ, cwd)
    except ConfigError as error:
        raise ConfigError(f"{where} {error}") from None


def _parse(parse: Callable[[str], T], text: str, where: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None


def read_agents(
    file: Path, environ: Mapping[str, str], asked: Asked = NOBODY
) -> dict[str, AgentSettings]:
    """The agents alone, read again at run time. Raises ConfigError as `read` does."""
    return _agents(SettingsFile.read_if_there(file), environ, asked, {})


def _service(environ: Mapping[str, str]) -> str | None:
    exports = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    return environ.get("OTEL_SERVICE_NAME", "courtside") if exports else None


def _agents(
    file: SettingsFile,
    environ: Mapping[str, str],
    asked: Asked,
    stated: dict[str, Stated],
) -> dict[str, AgentSettings]:
    """Those of the file, then those that were asked for, else the four stubs.

    Notes in `stated` where each stands.
    """
    agents = file.agents(environ)
    for name, known in agents.items():
        stated[f"agents.{name}"] = Stated(known.url, file.where(name))

    def add(name: str, url: str, where: str) -> None:
        credentials = credentials_of(credentials_in(environ, name))
        agents[name] = AgentSettings(url, credentials=credentials)
        stated[f"agents.{name}"] = Stated(url, where)

    for name, url in asked.demo.items():
        if all(url != known.url for known in agents.values()):
            add(name if name not in agents else f"{name}-demo", url, "--demo")
    for url in asked.urls:
        if all(url != known.url for known in agents.values()):
            add(suggest_name(url, agents), url, "argument")
    if not agents:
        for name, port in stub_ports(environ).items():
            where = DEFAULT if port == STUBS[name] else f"{name.upper()}_PORT"
            add(name, f"http://127.0.0.1:{port}", where)
    return agents


def stub_ports(environ: Mapping[str, str]) -> dict[str, int]:
    """Where the four of the Procfile are expected, which reads the same variables.

    Raises ConfigError.
    """
    ports = {}
    for name, usual in STUBS.items():
        variable = f"{name.upper()}_PORT"
        text = environ.get(variable) or str(usual)
        ports[name] = _parse(settings.port, text, variable)
    return ports
