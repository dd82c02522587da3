"""Reads courtside.toml. Each error names the file, the line and the key."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from ..errors import ConfigError
from ..plans.parser import PlanError, parse_plans
from ..plans.plan import Plan
from ..plans.planners import load_planner
from .agent_settings import (
    MAX_TASKS,
    POLL_IDLE_S,
    POLL_S,
    STALLED_AFTER_S,
    AgentSettings,
    Pause,
    Seconds,
    TaskCount,
    Url,
    check_card,
    check_name,
    check_poll_idle,
    check_trusted_hosts,
    check_url,
    read_credentials,
)
from .conversion import SettingError, convert, unknown_key
from .secret_refs import resolve
from .settings import HostSettings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Table = dict[str, Any]
Card = Annotated[str, msgspec.Meta(description="a path or an http(s) URL")]
Hosts = Annotated[
    tuple[str, ...],
    msgspec.Meta(description='a list of hosts, such as ["api.example"]'),
]

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)


class Tables(msgspec.Struct, forbid_unknown_fields=True):
    """The whole file."""

    host: Annotated[Table, msgspec.Meta(description="a table: [host]")] = {}
    agents: Annotated[Table, msgspec.Meta(description="a table: [agents]")] = {}
    plans: Any = None


class AgentTable(msgspec.Struct, forbid_unknown_fields=True):
    """`[agents.NAME]`. The credentials may be references: `env:NAME`, `file:PATH`."""

    url: Url
    card: Card | None = None
    trusted_hosts: Hosts = ()
    stalled_after_s: Seconds = STALLED_AFTER_S
    poll_s: Pause = POLL_S
    poll_idle_s: Pause = POLL_IDLE_S
    max_tasks: TaskCount = MAX_TASKS
    credentials: Annotated[Table, msgspec.Meta(description="a table")] = {}


class SettingsFile:
    """A courtside.toml. Raises ConfigError. No message shows a secret."""

    def __init__(self, path: Path, text: str, data: dict[str, Any]) -> None:
        self._path = path
        self._lines = text.splitlines()
        self._tables = self._convert(data, Tables, secrets=("host", "agents"))
        self.host: Mapping[str, object] = self._tables.host
        """The settings in `[host]`, as they are in the file."""
        known = HostSettings.__struct_fields__
        for name in self.host:
            if name not in known:
                where = self.where(f"host.{name}")
                raise ConfigError(f"{where} {unknown_key(known)}")

    @classmethod
    def read(cls, path: Path, *, must_exist: bool = True) -> SettingsFile:
        if not must_exist and not path.exists():
            return cls(path, "", {})
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: cannot be read: {error}") from error
        try:
            data = tomllib.loads(text)
            # Python can neither read nor write a number of 5,000 digits, and messages
            # show wrong values.
            repr(data)
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{path}: is not TOML: {error}") from None
        return cls(path, text, data)

    def agents(self, environ: Mapping[str, str]) -> dict[str, AgentSettings]:
        """Return the agents by name. Variables take precedence over the file."""
        tables = self._tables.agents
        return {name: self._agent(name, tables[name], environ) for name in tables}

    def plans(self, agents: Collection[str]) -> dict[str, Plan] | None:
        """Return the plans by key, or None if there is no [plans].

        Steps may use `agents`. Planners are also imported from the folder of the file.
        """
        if self._tables.plans is None:
            return None
        planner = partial(load_planner, folder=self._path.parent)
        try:
            return parse_plans(self._tables.plans, agents, planner)
        except PlanError as error:
            where = self.where(error.key)
            raise ConfigError(f"{where} {error.why}") from error.__cause__

    def where(self, key: str) -> str:
        """Return the file, line and name of a key, for messages."""
        return f"{self._path}, line {self._find_line(key.split('.'))}: {key}"

    def _agent(
        self, name: str, table: object, environ: Mapping[str, str]
    ) -> AgentSettings:
        key = f"agents.{name}"
        self._check(check_name, name, key)
        found = self._convert(table, AgentTable, key, secrets=("credentials",))
        credentials = {
            setting: self._check(
                partial(self._resolve, environ), value, f"{key}.credentials.{setting}"
            )
            for setting, value in found.credentials.items()
        }
        return AgentSettings(
            url=self._check(check_url, found.url, f"{key}.url"),
            card=None
            if found.card is None
            else self._check(check_card, found.card, f"{key}.card"),
            trusted_hosts=self._check(
                check_trusted_hosts, found.trusted_hosts, f"{key}.trusted_hosts"
            ),
            stalled_after_s=found.stalled_after_s,
            poll_s=found.poll_s,
            poll_idle_s=self._check(
                partial(check_poll_idle, poll_s=found.poll_s),
                found.poll_idle_s,
                f"{key}.poll_idle_s",
            ),
            max_tasks=found.max_tasks,
            credentials=read_credentials(
                name,
                environ,
                credentials,
                lambda setting: self.where(f"{key}.credentials.{setting}"),
            ),
        )

    def _resolve(self, environ: Mapping[str, str], value: Any) -> Any:
        """Replace each reference in the value."""
        if isinstance(value, list):
            return [self._resolve(environ, item) for item in value]
        if isinstance(value, dict):
            return {name: self._resolve(environ, value[name]) for name in value}
        if isinstance(value, str):
            return resolve(value, environ, self._path.parent)
        return value

    def _convert(
        self, value: object, struct: type[S], key: str = "", *, secrets: Collection[str]
    ) -> S:
        try:
            return convert(value, struct, secrets)
        except SettingError as error:
            parts = [part for part in (key, error.key) if part]
            raise ConfigError(f"{self.where('.'.join(parts))} {error.why}") from None

    def _check(self, check: Callable[[Any], T], value: object, key: str) -> T:
        try:
            return check(value)
        except ConfigError as error:
            raise ConfigError(f"{self.where(key)} {error}") from None

    def _find_line(self, keys: list[str]) -> int:
        """Return the first line that sets the key or a key below it, or opens its
        table.

        The TOML parser keeps no positions. This covers the usual ways to write TOML.
        """
        table: list[str] = []
        for number, line in enumerate(self._lines, 1):
            header = re.match(r"\s*\[\[?([^\]]*)\]", line)
            setting = re.match(r"\s*([^=#\[]+?)\s*=", line)
            if header:
                table = path = _split_key(header[1])
            elif setting:
                path = table + _split_key(setting[1])
            else:
                continue
            if path[: len(keys)] == keys:
                return number
        return self._find_line(keys[:-1]) if len(keys) > 1 else 1


def _split_key(dotted: str) -> list[str]:
    return [key.strip().strip("\"'") for key in dotted.split(".")]
