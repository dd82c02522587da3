"""Converts errors of the network, parsers and SDK to AgentUnreachable, with a plain
cause."""

from __future__ import annotations

import errno
import math
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import httpx
from a2a.utils.errors import (
    A2AError,
    InternalError,
    InvalidAgentResponseError,
    JSONParseError,
)
from google.protobuf import json_format, message

from ...errors import AgentUnreachable
from ...observability.redaction import redact, redact_value

CARD = "the agent card"
MAX_CAUSE = 200
AGENT_ERROR = "the agent reports an error"
ABSENT = ("connection refused", "DNS")


# The causes of an AgentUnreachable start with these.
NO_RESPONSE = ("connection refused", "connection broken", "timeout", "DNS", "TLS")
DENIED = (
    "HTTP 401",
    "HTTP 403",
    "HTTP 407",
    "HTTP 429",
    "connection broken: gRPC UNAUTHENTICATED",
    "connection broken: gRPC PERMISSION_DENIED",
    "gRPC RESOURCE_EXHAUSTED",
)
MAX_BEGIN = 64 * 1024  # Agents send the state of a Task before its artifacts.
# With these A2AErrors the agent failed. With all others it refuses the request.
AGENT_FAULTS = (InternalError, InvalidAgentResponseError, JSONParseError)


class BadResponse(Exception):
    """An unusable response. The message is the cause, `status` its HTTP status."""

    def __init__(self, cause: str, status: int | None = None) -> None:
        super().__init__(cause)
        self.status = status


class BodyTooLarge(BadResponse):
    """A response over the limit. `begin` is its first MAX_BEGIN bytes, or less."""

    def __init__(self, cause: str, begin: bytes = b"") -> None:
        super().__init__(cause)
        self.begin = begin[:MAX_BEGIN]


class AgentError(A2AError):
    """An error that A2A does not define. The message is the agent's."""


def has_no_response(error: AgentUnreachable) -> bool:
    """Return whether the agent has not responded at all."""
    return str(error).startswith(NO_RESPONSE) and not is_denied(error)


def is_denied(error: AgentUnreachable) -> bool:
    """Return whether the agent refuses the credentials, or limits the rate."""
    return str(error).startswith(DENIED)


def is_refusal(error: AgentUnreachable | A2AError) -> bool:
    """Return whether the agent works, but refuses this request or this client."""
    if isinstance(error, AgentUnreachable):
        return is_denied(error)
    return not isinstance(error, AGENT_FAULTS)


def is_cancelled() -> bool:
    """Return whether the host raised a CancelledError, and not grpcio."""
    return anyio.current_effective_deadline() == -math.inf


BROKEN = (
    AgentError,
    httpx.HTTPError,
    OSError,
    RuntimeError,  # httpx and anyio raise it once the connection is closed.
)
# What httpx, msgspec, protobuf, pydantic and the SDK raise for an agent's response.
FAILURES = (
    *BROKEN,
    BadResponse,
    httpx.InvalidURL,
    json_format.Error,
    message.Error,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
)


@contextmanager
def map_errors(what: str, name: str, url: str) -> Iterator[None]:
    """Raise AgentUnreachable in place of FAILURES. Redact secrets in other A2AErrors.

    `what` failed at `url`: an operation, or the agent card of the agent `name`.
    """
    try:
        yield
    except FAILURES as error:
        cause = redact(describe_cause(error, what))
        unreachable = AgentUnreachable(f"{cause} ({name}, {what} at {url})")
        unreachable.is_absent = cause.startswith(ABSENT)
        unreachable.agent_status = getattr(error, "status", None)
        raise unreachable from error
    except A2AError as error:
        text, data = redact(str(error)), redact_value(error.data)
        if (text, data) == (str(error), error.data):
            raise
        raise type(error)(text, data) from None


def describe_cause(error: BaseException, what: str) -> str:
    if isinstance(error, BadResponse):
        return str(error)
    if isinstance(error, AgentError):
        return f"{AGENT_ERROR}: {redact(str(error))[:MAX_CAUSE]}"
    # The innermost error has the cause. The outer ones only say that something failed.
    for link in reversed(_chain(error)):
        if cause := _known_cause(link):
            return cause
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
        kind = "bad URL"
    elif isinstance(error, BROKEN) and not isinstance(error, RecursionError):
        kind = "connection broken"
    else:
        kind = "bad card" if what == CARD else "bad response"
    text = redact(str(error)) or f"the connection ended ({type(error).__name__})"
    return f"{kind}: {text[:MAX_CAUSE]}"


def _known_cause(error: BaseException) -> str | None:
    if isinstance(error, socket.gaierror):
        return "DNS: no such host"
    # A handshake that exceeds its timeout ends in "want read".
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLWantReadError):
        return f"TLS: {error.reason or error}"
    if isinstance(error, OSError) and error.errno == errno.ECONNREFUSED:
        return "connection refused"
    # anyio raises it for a connection that was reset while it was opened.
    if isinstance(error, AttributeError) and error.name == "getpeername":
        return "connection broken: it was closed"
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return "timeout: no response in time"
    if isinstance(error, httpx.HTTPStatusError):
        return f"HTTP {error.response.status_code}"
    if isinstance(error, httpx.ConnectError):
        return "connection refused"
    return None


def _chain(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    return chain
