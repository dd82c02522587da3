"""Owns `courtside serve`: reads the configuration and opens the log.

The host is then served by server.py until it is told to end.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import webbrowser
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import click

from ..app import Host
from ..config.load import Asked, Config, read, read_agents
from ..config.settings import CONFIG_FILE, LOG_FILE, LOG_FORMAT
from ..log.contract import Log
from ..log.memory import MemoryLog
from ..log.sqlite import SqliteLog
from ..observability.logfmt import Line, Lines
from ..server import allow_sockets, listen
from ..server import serve as serve_host
from .demo_agents import running_stubs
from .options import given, with_agents, with_settings
from .startup_hints import advise

logger = logging.getLogger("courtside.serve")


@click.command(
    epilog=f"""\b
Examples:
  courtside --demo --open                 four agents that come with it
  courtside http://localhost:9000         an agent of your own
  courtside localhost:9000 https://agents.example.org/travel --port 9001

Agents of {CONFIG_FILE} are followed, too, where there is one; without any agent at
all, those of `scripts/start`. Each flag can be given as a variable, too:
COURTSIDE_PORT=9000. Both win over [host] in {CONFIG_FILE}. `courtside config` says
which it was."""
)
@with_agents
@click.option("--demo", is_flag=True, help="Start four agents to follow, too.")
@click.option("--open", "opens", is_flag=True, help="Open the page in a browser.")
@with_settings
def serve(urls: tuple[str, ...], demo: bool, opens: bool, **flags: str | None) -> None:
    """Start the host and its page. Ends with Ctrl-C."""
    log_to_stderr(LOG_FORMAT.default)
    allow_sockets()
    cwd, asked = Path.cwd(), Asked(urls)
    config = read(given(flags), os.environ, cwd, asked)
    log_to_stderr(config.log_format)
    if config.access.is_readable(config.host):
        logger.warning(Line(tls="none", why="whoever is on the way reads the token"))
    with ExitStack() as ends:
        listener = ends.enter_context(listen(config))
        if demo:
            stubs = ends.enter_context(running_stubs(os.environ))
            asked = Asked(urls, stubs)
            config = read(given(flags), os.environ, cwd, asked)
        elif config.follows_only_stubs:
            advise(config)
        file = config.file or Path(CONFIG_FILE)
        reread = partial(read_agents, file, os.environ, asked)
        host = Host(config, _open_log(config), reread)
        serve_host(host, listener, config.access, lambda: announce(config, opens))
    sys.exit(1 if host.failed else 0)


def announce(config: Config, opens: bool) -> None:
    """Says where the page is, and opens it where that is wanted."""
    click.echo(f"The page is at {config.url}")
    if opens:
        # Some browsers do not return before they end.
        threading.Thread(target=webbrowser.open, args=[config.url], daemon=True).start()


def log_to_stderr(form: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(Lines(form))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("a2a").setLevel(logging.WARNING)


def _open_log(config: Config) -> Log:
    if config.log == "memory":
        return MemoryLog()
    return SqliteLog(config.data_dir / LOG_FILE)
