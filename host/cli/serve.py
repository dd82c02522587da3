"""Owns `courtside serve`: reads the configuration and opens the log.

The host is then served by server.py until it is told to end.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from host.app import Host
from host.config import CONFIG_FILE, Config, read, read_agents
from host.lines import Lines
from host.log import Log
from host.log.memory import MemoryLog
from host.log.sqlite import SqliteLog
from host.server import allow_sockets, listen
from host.server import serve as serve_host
from host.settings import LOG_FORMAT, SETTINGS

Command = Callable[..., Any]


def with_settings(command: Command) -> Command:
    """Gives a command a flag for each setting, and --config."""
    named = click.option("--config", help=f"Settings file.  [{CONFIG_FILE} if there]")
    for setting in reversed(SETTINGS):
        text = f"{setting.help}  [{setting.default}]"
        command = click.option(setting.flag, setting.name, help=text)(command)
    return named(command)


@click.command(
    epilog="Each flag can be given as a variable, too: COURTSIDE_PORT=9000. "
    f"Both win over [host] in {CONFIG_FILE}."
)
@with_settings
def serve(**flags: str | None) -> None:
    """Start the host and its page. Ends with Ctrl-C."""
    given = {name: text for name, text in flags.items() if text is not None}
    _log_to_stderr(LOG_FORMAT.default)
    allow_sockets()
    config = read(given, os.environ, Path.cwd())
    _log_to_stderr(config.log_format)
    with listen(config) as listener:
        reread = partial(read_agents, config.file or Path(CONFIG_FILE), os.environ)
        host = Host(config, _open_log(config), reread)
        serve_host(host, listener)
    sys.exit(1 if host.failed else 0)


def _log_to_stderr(form: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(Lines(form))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("a2a").setLevel(logging.WARNING)


def _open_log(config: Config) -> Log:
    if config.log == "memory":
        return MemoryLog()
    return SqliteLog(config.data_dir / "feed.db")
