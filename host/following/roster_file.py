"""Owns what people changed while the host ran: agents they added and removed.

Kept as `agents.json` in the data folder; the roster begins with it at each start.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from ..config.agent_settings import AgentSettings, check_card, check_name, check_url
from ..errors import ConfigError, CourtsideError

FILE = "agents.json"


class NotKept(CourtsideError):
    """A change that cannot be written down, and is therefore not made."""

    status, reason = 503, "NOT_KEPT"


class Added(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """An agent added at run time. It has no credentials: those are the file's."""

    url: str
    card: str | None = None

    def settings(self, *, public_only: bool = False) -> AgentSettings:
        """Raises ConfigError, naming what is wrong."""
        url, card = checked("url", check_url, self.url), self.card
        if card is not None:
            card = checked("card", check_card, card)
        return AgentSettings(url, card, public_only=public_only)


def checked(subject: str, check: Callable[[object], str], value: object) -> str:
    """`check(value)`; the ConfigError it raises gets its subject."""
    try:
        return check(value)
    except ConfigError as error:
        raise ConfigError(f"{subject} {error}") from None


class Changes(Struct, frozen=True, forbid_unknown_fields=True):
    """Immutable: each change gives a new one. `removed` maps name to base URL.

    A removal is of that agent at that URL: when the settings give the name another
    one, it is another agent. What the settings say of a name wins over what was
    added under it.
    """

    added: Mapping[str, Added] = {}
    removed: Mapping[str, str] = {}

    def applied(
        self, configured: Mapping[str, AgentSettings], *, public_only: bool
    ) -> dict[str, AgentSettings]:
        """The agents to follow, by name; `public_only` is for those that were added."""
        agents = {
            name: settings
            for name, settings in configured.items()
            if self.removed.get(name) != settings.url
        }
        for name, added in self.added.items():
            agents.setdefault(name, added.settings(public_only=public_only))
        return agents

    def with_added(
        self, name: str, added: Added, configured: Mapping[str, AgentSettings]
    ) -> Changes:
        known = configured.get(name)
        if known and known.url == added.url and added.card in (None, known.card):
            # Removed before, and wanted again: as the settings have it.
            removed = {n: url for n, url in self.removed.items() if n != name}
            return Changes(self.added, removed)
        return Changes({**self.added, name: added}, self.removed)

    def with_removed(
        self, name: str, configured: Mapping[str, AgentSettings]
    ) -> Changes:
        added = {n: agent for n, agent in self.added.items() if n != name}
        if name not in configured:
            return Changes(added, self.removed)
        return Changes(added, {**self.removed, name: configured[name].url})

    def beside(self, configured: Mapping[str, AgentSettings]) -> Changes:
        """Without what these settings have overtaken."""
        removed = {
            name: url
            for name, url in self.removed.items()
            if name in configured and configured[name].url == url
        }
        added = {
            name: agent
            for name, agent in self.added.items()
            if name not in configured or name in removed
        }
        return Changes(added, removed)


def read(folder: Path) -> Changes:
    """What is kept there; nothing where nothing is. Raises ConfigError."""
    path = folder / FILE
    try:
        changes = msgspec.json.decode(path.read_bytes(), type=Changes)
        for name, added in changes.added.items():
            checked(f"the name {name!r}", check_name, name)
            added.settings()
    except FileNotFoundError:
        return Changes()
    except (OSError, msgspec.DecodeError, ConfigError) as error:
        raise ConfigError(
            f"{path}: cannot be used: {error}; mend it, or delete it to go on with "
            "the agents of the settings alone"
        ) from error
    return changes


def write(folder: Path, changes: Changes) -> None:
    """On the disk, whole, when it returns. Raises NotKept."""
    path = folder / FILE
    draft = path.with_suffix(".new")
    try:
        folder.mkdir(0o700, parents=True, exist_ok=True)
        with draft.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(changes)))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync_folder(folder)
    except OSError as error:
        raise NotKept(f"{path}: cannot be written: {error.strerror}") from error


def _sync_folder(folder: Path) -> None:
    """Or a power cut may bring the former file back."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
