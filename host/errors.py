"""The base class of all errors, and the errors that several packages raise.

Each message says what failed, where, and what to do. Each class says how HTTP and
JSON-RPC report the error. Errors of one package only are defined in that package.
"""

from __future__ import annotations


class CourtsideError(Exception):
    """An error that a person should read."""

    status: int = 500
    """The HTTP status. The JSON-RPC code is -31000 minus this."""
    reason: str = "INTERNAL"
    """The machine-readable reason: stable, while the message may change."""


class ConfigError(CourtsideError):
    """A setting has an unusable value."""

    status, reason = 400, "BAD_SETTING"


class LogError(CourtsideError):
    """The log cannot be opened, read or written."""

    status, reason = 503, "LOG_FAILED"


class LogDamaged(LogError):
    """The log's file is corrupt. Retrying does not help.

    If it is only one event: its `event_id`, and its `agent` and `task` if known.
    """

    def __init__(
        self,
        message: str,
        event_id: int | None = None,
        *,
        agent: str | None = None,
        task: str | None = None,
    ) -> None:
        super().__init__(message)
        self.event_id = event_id
        self.agent = agent
        self.task = task


class LogRefused(LogError):
    """The log can never accept one of the entries. Retrying does not help."""


class QueryError(CourtsideError):
    """A query parameter or header of a request has an unusable value."""

    status, reason = 400, "BAD_QUERY"


class CursorError(QueryError):
    """The text is not a cursor of this host."""


class CursorExpired(QueryError):
    """The events after this cursor are no longer in the log."""

    status, reason = 410, "CURSOR_EXPIRED"


class UnknownAgent(CourtsideError):
    """The host follows no agent of that name."""

    status, reason = 404, "UNKNOWN_AGENT"


class AgentUnreachable(CourtsideError):
    """The agent does not respond, or its response is not valid A2A."""

    status, reason = 502, "AGENT_UNREACHABLE"
    agent_status: int | None = None
    """The HTTP status that the agent answered, if that is the cause."""
    is_absent: bool = False
    """Whether nothing answers at the agent's address."""
