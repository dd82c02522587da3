"""Owns courtside.toml: what it may hold, and on which line each key stands.

`config` asks it for the host's settings, for the agents and for the plans.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ..errors import ConfigError
from ..plans.parser import PlanError, parse_plans
from ..plans.plan import Plan
from ..plans.planners import load_planner
from .agent_settings import (
    CREDENTIALS,
    AgentSettings,
    CredentialSettings,
    check_card,
    check_name,
    check_trusted_hosts,
    check_url,
    credentials_of,
)
from .secret_refs import looked_up
from .settings import SETTINGS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TABLES = ("host", "agents", "plans")
AGENT_SETTINGS = ("url", "card", "trusted_hosts", "credentials")

Checked = TypeVar("Checked")


class SettingsFile:
    """Raises ConfigError naming file, line, key and fix; no message holds a secret."""

    def __init__(self, path: Path, text: str, data: dict[str, Any]) -> None:
        self._path = path
        self._lines = text.splitlines()
        self._data = data
        self._only(data, "", TABLES, "there are [host], [agents] and [plans]")
        for table in ("host", "agents"):
            if not isinstance(data.get(table, {}), dict):
                raise self._wrong(table, f"must be a table: [{table}]")
        known = tuple(setting.name for setting in SETTINGS)
        self._only(data.get("host", {}), "host", known)

    @classmethod
    def read_if_there(cls, path: Path) -> SettingsFile:
        return cls.read(path) if path.exists() else cls(path, "", {})

    @classmethod
    def read(cls, path: Path) -> SettingsFile:
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read: {error}") from error
        try:
            data = tomllib.loads(text)
            # Python does not read or write a number of 5,000 digits, and messages show
            # what is wrong.
            repr(data)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{path}: is not TOML: {error}") from None
        return cls(path, text, data)

    def host_setting(self, name: str, default: str) -> tuple[str, str]:
        """The value and where it stands."""
        value = self._data.get("host", {}).get(name, default)
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            value = ",".join(value)
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise self._wrong(f"host.{name}", f"is {value!r}: use text or a number")
        return str(value), self._at(f"host.{name}")

    def sets(self, name: str) -> bool:
        """Whether a setting of the host stands here."""
        return name in self._data.get("host", {})

    def where(self, agent: str) -> str:
        """Where an agent stands."""
        return self._at(f"agents.{agent}")

    def agents(self, environ: Mapping[str, str]) -> dict[str, AgentSettings]:
        """By name; a variable of the environment wins over what stands here."""
        tables = self._data.get("agents", {})
        return {name: self._agent(name, tables[name], environ) for name in tables}

    def plans(self, agents: Collection[str]) -> dict[str, Plan] | None:
        """By key, None where there is no [plans]. Their steps may use `agents`; their
        planners are imported, from the folder of the file as well."""
        if "plans" not in self._data:
            return None
        planner = partial(load_planner, folder=self._path.parent)
        try:
            return parse_plans(self._data["plans"], agents, planner)
        except PlanError as error:
            raise self._wrong(error.key, error.why) from error.__cause__

    def _agent(
        self, name: str, table: Any, environ: Mapping[str, str]
    ) -> AgentSettings:
        key = f"agents.{name}"
        self._checked(check_name, name, key)
        if not isinstance(table, dict) or "url" not in table:
            raise self._wrong(key, 'needs a url: url = "http://127.0.0.1:8001"')
        self._only(table, key, AGENT_SETTINGS)
        card = table.get("card")
        return AgentSettings(
            self._checked(check_url, table["url"], f"{key}.url"),
            None if card is None else self._checked(check_card, card, f"{key}.card"),
            self._checked(
                check_trusted_hosts,
                table.get("trusted_hosts", []),
                f"{key}.trusted_hosts",
            ),
            self._credentials(name, table.get("credentials", {}), environ),
        )

    def _credentials(
        self, name: str, table: Any, environ: Mapping[str, str]
    ) -> CredentialSettings:
        key = f"agents.{name}.credentials"
        if not isinstance(table, dict):
            raise self._wrong(key, f"must be a table: [{key}]")
        self._only(table, key, tuple(CREDENTIALS))
        here = {
            setting: (
                self._checked(partial(self._found, environ), value, f"{key}.{setting}"),
                self._at(f"{key}.{setting}"),
            )
            for setting, value in table.items()
        }
        return credentials_of(here | credentials_in(environ, name))

    def _found(self, environ: Mapping[str, str], value: Any) -> object:
        """The value, with each env:NAME and file:PATH in it replaced."""
        if isinstance(value, list):
            return [self._found(environ, item) for item in value]
        if isinstance(value, dict):
            return {name: self._found(environ, value[name]) for name in value}
        if not isinstance(value, str):
            return value
        return looked_up(value, environ, self._path.parent)

    def _checked(
        self, check: Callable[[Any], Checked], value: object, key: str
    ) -> Checked:
        try:
            return check(value)
        except ConfigError as error:
            raise self._wrong(key, str(error)) from None

    def _only(
        self, table: dict[str, Any], key: str, known: tuple[str, ...], hint: str = ""
    ) -> None:
        for name in table:
            if name not in known:
                raise self._wrong(
                    f"{key}.{name}".lstrip("."),
                    f"is unknown: {hint or 'use ' + ', '.join(known)}",
                )

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


def credentials_in(
    environ: Mapping[str, str], name: str
) -> dict[str, tuple[object, str]]:
    """What COURTSIDE_AGENT_CARLY_BEARER and its like say of one agent, and where."""
    prefix = f"COURTSIDE_AGENT_{name.upper().replace('-', '_')}_"
    variables = {setting: prefix + setting.upper() for setting in CREDENTIALS}
    # A table does not fit into a variable.
    del variables["headers"]
    return {
        setting: (environ[variable], variable)
        for setting, variable in variables.items()
        if environ.get(variable)
    }
