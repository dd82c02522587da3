"""Owns the lesson's Python API: start tasks, see all their updates in one stream.

`from host import TaskManager`. A script's own code calls it; it speaks straight with
agents, or over a host that runs already.
"""

from __future__ import annotations

from host.tasks.errors import (
    HostUnreachable,
    ManagerClosed,
    NotAsking,
    Refused,
    UnknownName,
    UnknownTask,
)
from host.tasks.manager import TaskManager

__all__ = [
    "HostUnreachable",
    "ManagerClosed",
    "NotAsking",
    "Refused",
    "TaskManager",
    "UnknownName",
    "UnknownTask",
]
