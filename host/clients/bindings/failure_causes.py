"""Owns why an agent could not be reached, in the words a person would use.

Whatever the network, a parser or the SDK raises becomes AgentUnreachable here.
"""

from __future__ import annotations

import errno
import math
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import httpx
from a2a.utils.errors import A2AError
from google.protobuf import json_format

from ...errors import AgentUnreachable
from ...observability.redaction import redact

CARD = "the agent card"
MAX_CAUSE = 200


class BadAnswer(Exception):
    """An answer that is of no use; the message is already the cause in words."""


class Unnamed(A2AError):
    """An agent's refusal for which A2A has no name; the message is the agent's."""


def is_cancelled() -> bool:
    """Whether a CancelledError is the host's own, and no answer of grpcio's."""
    return anyio.current_effective_deadline() == -math.inf


# What httpx, msgspec, protobuf, pydantic and the SDK raise for what an agent sends.
BAD_ANSWERS = (
    httpx.InvalidURL,
    json_format.Error,
    OSError,
    RuntimeError,  # Also what httpx and anyio raise once the connection is closed.
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
)
BROKEN = (Unnamed, httpx.HTTPError, OSError, RuntimeError)
FAILURES = (Unnamed, httpx.HTTPError, BadAnswer, *BAD_ANSWERS)


@contextmanager
def explained(what: str, name: str, url: str) -> Iterator[None]:
    """Raises AgentUnreachable, in one sentence, for what FAILURES has.

    A refusal in A2A's words passes, without secrets.
    """
    try:
        yield
    except FAILURES as error:
        said = redact(cause_of(error, what))
        raise AgentUnreachable(f"{said} ({name}, {what} at {url})") from error
    except A2AError as error:
        said = redact(str(error))
        if said == str(error):
            raise
        raise type(error)(said, error.data) from None


def cause_of(error: BaseException, what: str) -> str:
    """The cause; innermost first, for the outer ones only say that it went wrong."""
    if isinstance(error, BadAnswer):
        return str(error)
    for link in reversed(_chain(error)):
        if isinstance(link, socket.gaierror):
            return "DNS: there is no such host"
        # A handshake that goes on for too long ends in "want read".
        if isinstance(link, ssl.SSLError) and not isinstance(
            link, ssl.SSLWantReadError
        ):
            return f"TLS: {link.reason or link}"
        if isinstance(link, OSError) and link.errno == errno.ECONNREFUSED:
            return "refused: nothing listens there"
        # What anyio finds of a connection that was reset as it was made.
        if isinstance(link, AttributeError) and link.name == "getpeername":
            return "broken: the connection was closed"
        if isinstance(link, httpx.TimeoutException | TimeoutError):
            return "timeout: no answer in time"
        if isinstance(link, httpx.HTTPStatusError):
            return f"HTTP {link.response.status_code}"
        if isinstance(link, httpx.ConnectError):
            return "refused: no connection"
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
        kind = "bad URL"
    elif isinstance(error, BROKEN) and not isinstance(error, RecursionError):
        kind = "broken"
    else:
        kind = "bad card" if what == CARD else "bad answer"
    said = str(error) or f"the connection ended ({type(error).__name__})"
    return f"{kind}: {said[:MAX_CAUSE]}"


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    return chain
