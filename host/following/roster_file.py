"""Stores the changes to the roster at run time: agents that were added or removed.

They are in `agents.json` in the data folder. The roster reads it when it starts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from ..config.agent_settings import (
    MAX_TASKS,
    POLL_IDLE_S,
    POLL_S,
    STALLED_AFTER_S,
    AgentSettings,
    Pause,
    Seconds,
    TaskCount,
    check_card,
    check_name,
    check_poll_idle,
    check_url,
)
from ..errors import ConfigError, CourtsideError
from ..log.private_files import sync_folder

FILE = "agents.json"
T = TypeVar("T")


class RosterNotSaved(CourtsideError):
    """The change to the roster cannot be written to the disk, so it is not applied."""

    status, reason = 503, "NOT_KEPT"  # The reason is part of the API.


class AddedAgent(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """An agent added at run time, without credentials: only courtside.toml has them."""

    url: str
    card: str | None = None
    stalled_after_s: Seconds = STALLED_AFTER_S
    poll_s: Pause = POLL_S
    poll_idle_s: Pause = POLL_IDLE_S
    max_tasks: TaskCount = MAX_TASKS

    @classmethod
    def of(cls, settings: AgentSettings) -> AddedAgent:
        return cls(**{name: getattr(settings, name) for name in cls.__struct_fields__})

    def restores(self, settings: AgentSettings) -> bool:
        """Return whether it has that URL, and no value that differs from the default
        and from these settings."""
        plain = AddedAgent(self.url)
        return self.url == settings.url and all(
            getattr(self, name) in (getattr(plain, name), getattr(settings, name))
            for name in self.__struct_fields__
        )

    def to_settings(self, *, public_only: bool = False) -> AgentSettings:
        """Raises ConfigError that names the unusable value."""
        url, card = check("url", check_url, self.url), self.card
        if card is not None:
            card = check("card", check_card, card)
        poll_idle_s = check(
            "poll_idle_s",
            partial(check_poll_idle, poll_s=self.poll_s),
            self.poll_idle_s,
        )
        return AgentSettings(
            url,
            card,
            stalled_after_s=self.stalled_after_s,
            poll_s=self.poll_s,
            poll_idle_s=poll_idle_s,
            max_tasks=self.max_tasks,
            public_only=public_only,
        )


def check(subject: str, checker: Callable[[T], T], value: T) -> T:
    """Return `checker(value)`. A ConfigError that it raises then names the subject."""
    try:
        return checker(value)
    except ConfigError as error:
        raise ConfigError(f"{subject} {error}") from None


class RosterChanges(Struct, frozen=True, forbid_unknown_fields=True):
    """Run-time changes to the configured agents. `removed` maps names to base URLs.

    If the settings later give a removed agent's name to another URL, that is another
    agent. If the settings name an agent that was added, the settings win.
    """

    added: Mapping[str, AddedAgent] = {}
    removed: Mapping[str, str] = {}

    def apply(
        self, configured: Mapping[str, AgentSettings], *, public_only: bool
    ) -> dict[str, AgentSettings]:
        """Return the agents to follow. `public_only` applies to the added ones."""
        agents = {
            name: settings
            for name, settings in configured.items()
            if self.removed.get(name) != settings.url
        }
        for name, added in self.added.items():
            agents.setdefault(name, added.to_settings(public_only=public_only))
        return agents

    def add(
        self, name: str, agent: AddedAgent, configured: Mapping[str, AgentSettings]
    ) -> RosterChanges:
        before = configured.get(name)
        if before and agent.restores(before):
            # It was removed before: restore it with its configured settings.
            removed = {n: url for n, url in self.removed.items() if n != name}
            return RosterChanges(self.added, removed)
        return RosterChanges({**self.added, name: agent}, self.removed)

    def remove(
        self, name: str, configured: Mapping[str, AgentSettings]
    ) -> RosterChanges:
        added = {n: agent for n, agent in self.added.items() if n != name}
        if name not in configured:
            return RosterChanges(added, self.removed)
        return RosterChanges(added, {**self.removed, name: configured[name].url})

    def drop_outdated(self, configured: Mapping[str, AgentSettings]) -> RosterChanges:
        """Return the changes that still have an effect with these settings."""
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
        return RosterChanges(added, removed)


def read(folder: Path) -> RosterChanges:
    """Return the stored changes: none if there is no file. Raises ConfigError."""
    path = folder / FILE
    try:
        changes = msgspec.json.decode(path.read_bytes(), type=RosterChanges)
        for name, agent in changes.added.items():
            check(f"the name {name!r}", check_name, name)
            agent.to_settings()
    except FileNotFoundError:
        return RosterChanges()
    except (OSError, msgspec.DecodeError, ConfigError) as error:
        raise ConfigError(
            f"{path}: cannot be used: {error}. Correct it, or delete it to continue "
            "with only the agents in the settings"
        ) from error
    return changes


def write(folder: Path, changes: RosterChanges) -> None:
    """Write the changes to the disk, all or nothing. Raises RosterNotSaved."""
    path = folder / FILE
    draft = path.with_suffix(".new")
    try:
        folder.mkdir(0o700, parents=True, exist_ok=True)
        with draft.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(changes)))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        # Without it, a power cut may bring the old file back.
        sync_folder(folder)
    except OSError as error:
        raise RosterNotSaved(f"{path}: cannot be written: {error.strerror}") from error
