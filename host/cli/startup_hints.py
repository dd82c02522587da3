"""Tells the user what to do when the host finds no agents."""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit

from ..config.load import Config
from ..observability.logfmt import Line

logger = logging.getLogger("courtside")

DELAY_S = 5.0  # scripts/start starts the agents at the same time as the host.
CONNECT_S = 0.5


def schedule_hint(config: Config) -> None:
    """Check the default agents a little later. Does not block."""
    timer = threading.Timer(DELAY_S, log_hint, [config])
    timer.daemon = True
    timer.start()


def log_hint(config: Config) -> None:
    """Log one warning, unless some agent accepts a connection."""
    for agent in config.agents.values():
        address = urlsplit(agent.url)
        with suppress(OSError):
            socket.create_connection(
                (address.hostname, address.port or 80), CONNECT_S
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
