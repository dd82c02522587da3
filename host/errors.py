"""Owns the one root of our errors; each message says what, where and what to do.

Raised by every floor; the command line and the HTTP doors turn them into words.
"""

from __future__ import annotations


class CourtsideError(Exception):
    """Something a person should read."""


class ConfigError(CourtsideError):
    """A setting that cannot be used."""


class LogError(CourtsideError):
    """The log cannot be opened, read or written."""


class LogDamaged(LogError):
    """The log's file is not what was written to it; that will not change by itself."""


class QueryError(CourtsideError):
    """A parameter of a request has a value that means nothing."""


class CursorError(QueryError):
    """A cursor that was never one of ours."""


class CursorExpired(CourtsideError):
    """What followed the cursor is no longer kept."""


class UnknownAgent(CourtsideError):
    """No agent of that name is followed."""


class AgentUnreachable(CourtsideError):
    """The agent does not answer, or not as an A2A agent would."""
