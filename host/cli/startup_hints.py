"""Owns what is said to somebody who started a host that finds nothing to follow.

A line on stderr, once; the host goes on trying.
"""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit

from ..config.load import Config
from ..observability.logfmt import Line

logger = logging.getLogger("courtside")

# With scripts/start they start together with the host, and are to have the time.
PATIENCE_S = 5.0
CONNECT_S = 0.5


def advise(config: Config) -> None:
    """Looks at the stubs' ports a little later, and says what to do if all refuse."""
    later = threading.Timer(PATIENCE_S, look, [config])
    later.daemon = True
    later.start()


def look(config: Config) -> None:
    """Says nothing where one of the agents can be reached."""
    for agent in config.agents.values():
        address = urlsplit(agent.url)
        where = (address.hostname, address.port or 80)
        with suppress(OSError):
            socket.create_connection(where, CONNECT_S).close()
            return
    logger.warning(
        Line(
            agents="none",
            cause="nobody named any, and those that are looked for then do not answer",
            looked_for=" ".join(agent.url for agent in config.agents.values()),
            try_this="courtside --demo, or courtside http://localhost:9000 with the "
            "URL of an agent of yours",
        )
    )
