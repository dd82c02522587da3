"""Arguments and options that several commands share."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from ..config.settings import CONFIG_FILE, SETTINGS

KINDS = ("task", "artifact", "message", "agent", "gap", "notice")
AUTHORITY = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+):[0-9]+(/\S*)?", re.ASCII)

Command = TypeVar("Command", bound=Callable[..., Any])


class InvalidAddress(click.ClickException):
    """Printed as one sentence, without a usage text."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        click.echo(f"courtside: {self.format_message()}", err=True)


def parse_address(text: str) -> str:
    """Return the http(s) URL of `URL` or `HOST:PORT`. Raises InvalidAddress."""
    # Importing httpx, which check_url uses, takes a tenth of a second.
    from ..config.agent_settings import check_url
    from ..errors import ConfigError

    url = f"http://{text}" if AUTHORITY.fullmatch(text) else text
    # Without a user and password that may come first.
    shown = repr(url.rpartition("@")[2][:100])
    if "://" not in url:
        raise InvalidAddress(
            f"{shown} is neither a command nor an address; see courtside --help. "
            "An address looks like http://localhost:9000 or localhost:9000"
        )
    try:
        return check_url(url)
    except ConfigError as error:
        raise InvalidAddress(f"the address {shown} {error}") from None


def settings_flags(command: Command) -> Command:
    """Add a flag for each setting, and --config."""
    for setting in reversed(SETTINGS):
        text = f"{setting.help}  [{setting.default or 'none'}]"
        command = click.option(setting.flag, setting.name, help=text)(command)
    text = f"Settings file.  [{CONFIG_FILE}, if it exists]"
    return click.option("--config", help=text)(command)


def agent_urls(command: Command) -> Command:
    """Add the argument `urls`: agents to follow."""
    argument = click.argument("urls", nargs=-1, type=parse_address, metavar="[URL]...")
    return argument(command)


def host_options(command: Command) -> Command:
    """Add the argument `url`, a running host, and options that filter its events."""
    for name, text in (
        ("context", "Only events of this context."),
        ("kind", f"Only events of this kind: {', '.join(KINDS)}."),
        ("task", "Only events of this task."),
        (
            "agent",
            "Only events of this agent. You can repeat --agent, --task, --kind "
            "and --context.",
        ),
    ):
        kinds = click.Choice(KINDS) if name == "kind" else None
        option = click.option(f"--{name}", name, multiple=True, type=kinds, help=text)
        command = option(command)
    host = click.argument("url", type=parse_address, required=False, metavar="[URL]")
    return host(command)


def drop_unset(flags: Mapping[str, str | None]) -> dict[str, str]:
    return {name: text for name, text in flags.items() if text is not None}


def find_host(url: str | None) -> str:
    """Return `url`, or by default the host that is started in this folder.

    Raises ConfigError.
    """
    from ..config.load import read_address

    return url or read_address(os.environ, Path.cwd())
