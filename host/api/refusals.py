"""Refuses connections and requests that never reach the application.

Each address gets one warning per minute in the log, so that nobody can fill it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from http import HTTPStatus

from ..observability.logfmt import Line
from .responses import SAFETY_HEADERS
from .sessions import find_network

logger = logging.getLogger("courtside.connections")

WARNING_EVERY_S = 60.0
MAX_WARNED_ADDRESSES = 1_000  # More addresses in a minute get no warning.


def build_refusal(status: int, cause: str) -> bytes:
    """Build the response, which ends the connection."""
    body = f"{cause}\n".encode()
    headers = (
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
        *SAFETY_HEADERS,
    )
    head = b"".join(b"%b: %b\r\n" % pair for pair in headers)
    phrase = HTTPStatus(status).phrase.encode()
    return b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (status, phrase, head, body)


class Warnings:
    """Logs refused clients: one line per address and minute. `clock` is monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # By address, oldest first: the time of the warning, and how many came since.
        self._warned: dict[str, tuple[float, int]] = {}

    def warn(self, client: str, cause: str, status: int | None = None) -> None:
        """Log the refusal, or count it for the address's next line."""
        now, network = self._clock(), find_network(client)
        warned_at, unlogged = self._warned.get(network, (None, 0))
        if warned_at is not None and now - warned_at < WARNING_EVERY_S:
            self._warned[network] = (warned_at, unlogged + 1)
            return
        self._warned.pop(network, None)
        self._forget_old(now)
        if len(self._warned) >= MAX_WARNED_ADDRESSES:
            return
        self._warned[network] = (now, 0)
        more = unlogged or None
        logger.warning(Line(client=client, refused=status, cause=cause, unlogged=more))

    def _forget_old(self, now: float) -> None:
        for network, (warned_at, _) in list(self._warned.items()):
            if now - warned_at < WARNING_EVERY_S:
                return
            del self._warned[network]
