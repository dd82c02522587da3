"""The errors of TaskManager, besides those of `host.errors`."""

from __future__ import annotations

from ..errors import CourtsideError


class UnknownName(CourtsideError):
    """No agent or skill has this name, or several have it."""


class UnknownTask(CourtsideError):
    """The manager did not start this task."""


class NotAsking(CourtsideError):
    """A reply to a task that does not wait for one. It was not sent."""


class Refused(CourtsideError):
    """The agent or the host refused. `reason` is machine-readable."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class HostUnreachable(CourtsideError):
    """The host does not respond, or it is not a Courtside host."""


class ManagerClosed(CourtsideError):
    """The manager was used outside its `async with` block."""
