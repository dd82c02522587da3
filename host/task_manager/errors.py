"""Owns what a TaskManager raises beside the host's own errors; all are CourtsideErrors.

The manager and both its ways raise them at whoever called it.
"""

from __future__ import annotations

from ..errors import CourtsideError


class UnknownName(CourtsideError):
    """No agent or skill is called that, or more than one."""


class UnknownTask(CourtsideError):
    """The manager started no such task."""


class NotAsking(CourtsideError):
    """A reply to a task that waits for none; it was not sent."""


class Refused(CourtsideError):
    """The agent, or the host before it, refuses; `reason` is A2A's word for it."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class HostUnreachable(CourtsideError):
    """The host does not answer, or not as Courtside does."""


class ManagerClosed(CourtsideError):
    """The manager is used outside its `async with` block."""
