"""Owns the arguments and options that several commands have, and the types of theirs.

The commands are declared with them; what is given goes to their functions.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from ..config.settings import CONFIG_FILE, SETTINGS

KINDS = ("task", "artifact", "message", "agent", "gap")
AUTHORITY = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+):[0-9]+(/\S*)?", re.ASCII)

Command = TypeVar("Command", bound=Callable[..., Any])


class NotUnderstood(click.ClickException):
    """One sentence instead of a usage text: it says already what may be written."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        click.echo(f"courtside: {self.format_message()}", err=True)


def address(text: str) -> str:
    """An http(s) URL; `HOST:PORT` is one without its scheme. Raises NotUnderstood."""
    # httpx, which checks it, takes a tenth of a second to import.
    from ..config.agent_settings import check_url
    from ..errors import ConfigError

    url = f"http://{text}" if AUTHORITY.fullmatch(text) else text
    # No secret that somebody wrote before it.
    shown = repr(url.rpartition("@")[2][:100])
    if "://" not in url:
        raise NotUnderstood(
            f"{shown} is neither a command nor an address: see courtside --help, or "
            "write it as http://localhost:9000 or localhost:9000"
        )
    try:
        return check_url(url)
    except ConfigError as error:
        raise NotUnderstood(f"the address {shown} {error}") from None


def with_settings(command: Command) -> Command:
    """Gives a command a flag for each setting, and --config."""
    named = click.option("--config", help=f"Settings file.  [{CONFIG_FILE} if there]")
    for setting in reversed(SETTINGS):
        text = f"{setting.help}  [{setting.default or 'none'}]"
        command = click.option(setting.flag, setting.name, help=text)(command)
    return named(command)


def with_agents(command: Command) -> Command:
    """Gives a command `urls`: agents to follow."""
    return click.argument("urls", nargs=-1, type=address, metavar="[URL]...")(command)


def with_host(command: Command) -> Command:
    """Gives a command the host that it talks to, and which events it is about."""
    for name, text in (
        ("context", "Only events of this context."),
        ("kind", f"Only events of this kind: {', '.join(KINDS)}."),
        ("task", "Only events of this task."),
        ("agent", "Only events of this agent. All four can be given several times."),
    ):
        kinds = click.Choice(KINDS) if name == "kind" else None
        option = click.option(f"--{name}", name, multiple=True, type=kinds, help=text)
        command = option(command)
    host = click.argument("url", type=address, required=False, metavar="[URL]")
    return host(command)


def given(flags: Mapping[str, str | None]) -> dict[str, str]:
    """The flags that were."""
    return {name: text for name, text in flags.items() if text is not None}


def address_of(url: str | None) -> str:
    """The host that is meant: where none is named, the one that this folder starts.

    Raises ConfigError.
    """
    from ..config import load

    return url or load.address(os.environ, Path.cwd())
