"""The Python API: start tasks, and read all their updates in one stream.

TaskManager talks to agents directly (direct), or to a running host (via_host).
Imports `api` and the packages below it.
"""

from __future__ import annotations

from .errors import (
    HostUnreachable,
    ManagerClosed,
    NotAsking,
    Refused,
    UnknownName,
    UnknownTask,
)
from .manager import TaskManager

__all__ = [
    "HostUnreachable",
    "ManagerClosed",
    "NotAsking",
    "Refused",
    "TaskManager",
    "UnknownName",
    "UnknownTask",
]
