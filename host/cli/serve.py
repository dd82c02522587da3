"""`courtside serve`: starts the host and its page."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import webbrowser
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import click

from ..app import Host
from ..config.load import CommandLineAgents, Config, read, read_agents
from ..config.settings import CONFIG_FILE, LOG_FILE
from ..errors import CourtsideError
from ..log.contract import Log
from ..log.memory_log import MemoryLog
from ..log.sqlite_log import SqliteLog
from ..observability.log_writer import LogWriter
from ..observability.logfmt import Line, LogFormatter
from ..server import exit_on_signal, listen, raise_file_limit
from ..server import serve as serve_host
from .demo_agents import run_demo_agents
from .options import agent_urls, drop_unset, settings_flags

logger = logging.getLogger("courtside.serve")

HINT_AFTER_S = 5.0  # scripts/start starts the agents at the same time as the host.
HINT_CONNECT_S = 0.5


@click.command(
    epilog=f"""\b
Examples:
  courtside --demo --open                 four demo agents, and the page
  courtside http://localhost:9000         your own agent
  courtside localhost:9000 https://agents.example.org/travel --port 9001

The host also follows the agents of {CONFIG_FILE}. If no agent is configured, the host
follows the four agents that `scripts/start` starts. Each flag has an environment
variable, such as COURTSIDE_PORT=9000. Both override [host] in {CONFIG_FILE}.
`courtside config` prints where each setting comes from."""
)
@agent_urls
@click.option("--demo", is_flag=True, help="Start and follow four demo agents.")
@click.option("--open", "opens", is_flag=True, help="Open the page in a browser.")
@settings_flags
def serve(urls: tuple[str, ...], demo: bool, opens: bool, **flags: str | None) -> None:
    """Start the host and its page. Stop it with Ctrl-C."""
    exit_on_signal()
    log_to_stderr()
    raise_file_limit()
    agents = CommandLineAgents(urls)
    read_config = partial(read, drop_unset(flags), os.environ, Path.cwd())
    config = read_config(agents)
    log_to_stderr(config.log_format)
    if config.access.sends_token_in_clear(config.host):
        logger.warning(Line(tls="none", why="The token would be sent unencrypted"))
    with ExitStack() as stack:
        listener = stack.enter_context(listen(config))
        if demo:
            demo_urls = stack.enter_context(run_demo_agents(os.environ))
            agents = CommandLineAgents(urls, demo_urls)
            config = read_config(agents)
        elif config.has_only_default_agents:
            _schedule_hint(config)
        file = config.file or Path(CONFIG_FILE)
        reread = partial(read_agents, file, os.environ, agents)
        log = _open_log(config)
        try:
            host = Host(config, log, reread)
        except CourtsideError:
            anyio.run(log.close)
            raise
        on_ready = partial(announce, config, opens)
        serve_host(host, listener, config.access, on_ready)
    sys.exit(1 if host.failed else 0)


def announce(config: Config, opens: bool) -> None:
    """Print the address of the page, and open it if `opens`."""
    click.echo(f"The page is at {config.url}")
    if opens:
        # Some browsers return only when they are closed.
        threading.Thread(target=webbrowser.open, args=[config.url], daemon=True).start()


def log_to_stderr(log_format: str = "logfmt") -> None:
    # Without a stderr, its descriptor may belong to another file.
    handler = LogWriter(sys.stderr.fileno()) if sys.stderr else logging.NullHandler()
    handler.setFormatter(LogFormatter(log_format))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("a2a").setLevel(logging.WARNING)


def _open_log(config: Config) -> Log:
    if config.log == "memory":
        return MemoryLog()
    return SqliteLog(config.data_dir / LOG_FILE)


def _schedule_hint(config: Config) -> None:
    """Check the default agents a little later."""
    timer = threading.Timer(HINT_AFTER_S, log_hint, [config])
    timer.daemon = True
    timer.start()


def log_hint(config: Config) -> None:
    """Log one warning, unless some agent accepts a connection."""
    for agent in config.agents.values():
        address = urlsplit(agent.url)
        with suppress(OSError):
            socket.create_connection(
                (address.hostname, address.port or 80), HINT_CONNECT_S
            ).close()
            return
    logger.warning(
        Line(
            agents="none",
            cause="No agents are configured, and the demo agents are not running",
            looked_for=" ".join(agent.url for agent in config.agents.values()),
            try_this="courtside --demo, or courtside http://localhost:9000 with the "
            "URL of your agent",
        )
    )
