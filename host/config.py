"""Owns the settings: flags, COURTSIDE_* variables and courtside.toml, read once.

The composition root reads a frozen `Config` and hands each part what it needs.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from host.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CONFIG_FILE = "courtside.toml"
HOST_SETTINGS = ("host", "port", "data_dir", "log", "keep_events", "keep_s")
LOGS = ("sqlite", "memory")
STUBS = {"carly": 8001, "walter": 8002, "logan": 8003, "nancy": 8004}
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Config:
    """Everything the host is told from outside; `agents` maps name to base URL."""

    host: str
    port: int
    data_dir: Path
    log: str
    keep_events: int
    keep_s: float | None
    agents: Mapping[str, str]


def read(argv: list[str], environ: Mapping[str, str], cwd: Path) -> Config:
    """A flag wins over its variable, that over the file, that over the default.

    Raises ConfigError naming the setting, where it stands and what it may be.
    """
    flags = vars(_parser().parse_args(argv))
    path = flags["config"] or environ.get("COURTSIDE_CONFIG")
    file = _File.read(cwd / path) if path else _File.read_if_there(cwd / CONFIG_FILE)

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
    return Config(
        host=host,
        port=_port(*setting("port", "8000")),
        data_dir=cwd / data_dir,
        log=log,
        keep_events=_count(*setting("keep_events", "1000000")),
        keep_s=_count(*setting("keep_s", "0")) or None,
        agents=file.agents() or _stub_agents(environ),
    )


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


def _stub_agents(environ: Mapping[str, str]) -> dict[str, str]:
    """The four of the Procfile, which reads the same variables."""
    agents = {}
    for name, port in STUBS.items():
        variable = f"{name.upper()}_PORT"
        chosen = _port(environ.get(variable) or str(port), variable)
        agents[name] = f"http://127.0.0.1:{chosen}"
    return agents


class _File:
    """courtside.toml, which can say on which line a key stands."""

    def __init__(self, path: Path, text: str, data: dict[str, Any]) -> None:
        self._path = path
        self._lines = text.splitlines()
        self._data = data
        for table in data:
            if table not in ("host", "agents"):
                raise self._wrong(table, "is unknown: there are [host] and [agents]")
        for table in ("host", "agents"):
            if not isinstance(data.get(table, {}), dict):
                raise self._wrong(table, f"must be a table: [{table}]")
        for key in data.get("host", {}):
            if key not in HOST_SETTINGS:
                raise self._wrong(
                    f"host.{key}", f"is unknown: use {', '.join(HOST_SETTINGS)}"
                )

    @classmethod
    def read_if_there(cls, path: Path) -> _File:
        return cls.read(path) if path.exists() else cls(path, "", {})

    @classmethod
    def read(cls, path: Path) -> _File:
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read: {error}") from error
        try:
            return cls(path, text, tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path}: is not TOML: {error}") from error

    def host_setting(self, name: str, default: str) -> tuple[str, str]:
        value = self._data.get("host", {}).get(name, default)
        where = self._at(f"host.{name}")
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise self._wrong(f"host.{name}", f"is {value!r}: use text or a number")
        return str(value), where

    def agents(self) -> dict[str, str]:
        found = {}
        for name, table in self._data.get("agents", {}).items():
            key = f"agents.{name}"
            if not re.fullmatch(r"[a-z][a-z0-9-]{0,31}", name) or name == "host":
                raise self._wrong(
                    key,
                    "is no name for an agent: use up to 32 small letters, digits "
                    'and dashes, not "host"',
                )
            if not isinstance(table, dict) or "url" not in table:
                raise self._wrong(key, 'needs a url: url = "http://127.0.0.1:8001"')
            for extra in table:
                if extra != "url":
                    raise self._wrong(f"{key}.{extra}", "is unknown: use url")
            found[name] = self._url(f"{key}.url", table["url"])
        return found

    def _url(self, key: str, url: Any) -> str:
        try:
            parts = urlsplit(url) if isinstance(url, str) else None
            usable = parts and parts.scheme in ("http", "https") and parts.hostname
            _ = parts and parts.port
        except ValueError:
            usable = None
        if not usable:
            raise self._wrong(
                key,
                f"is not an http(s) URL: {url!r}; for example http://127.0.0.1:8001",
            )
        if parts and (parts.username or parts.password):
            raise self._wrong(
                key, "must not hold a user or password: the feed shows every URL"
            )
        return str(url).rstrip("/")

    def _wrong(self, key: str, why: str) -> ConfigError:
        return ConfigError(f"{self._at(key)} {why}")

    def _at(self, key: str) -> str:
        return f"{self._path}, line {self._line_of(key.split('.'))}: {key}"

    def _line_of(self, keys: list[str]) -> int:
        """The first line that sets the key or something below it, or opens its table.

        The TOML parser keeps no positions; this reads what people write.
        """
        table: list[str] = []
        for number, line in enumerate(self._lines, 1):
            header = re.match(r"\s*\[\[?([^\]]*)\]", line)
            setting = re.match(r"\s*([^=#\[]+?)\s*=", line)
            if header:
                table = path = _keys(header[1])
            elif setting:
                path = table + _keys(setting[1])
            else:
                continue
            if path[: len(keys)] == keys:
                return number
        return self._line_of(keys[:-1]) if len(keys) > 1 else 1


def _keys(dotted: str) -> list[str]:
    return [key.strip().strip("\"'") for key in dotted.split(".")]
