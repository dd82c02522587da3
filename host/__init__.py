"""The host: follows A2A agents, keeps their events in one feed, serves it, sends
commands.

A package imports only from the packages below it; the list is in `pyproject.toml`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .task_manager import TaskManager

__all__ = ["TaskManager", "__version__"]

# "courtside." in the wheel, where one package contains all three programs. Else "".
_PREFIX = __name__.rpartition("host")[0]
IMPORT_FOLDER = Path(__file__).resolve().parents[1 + _PREFIX.count(".")]
"""The folder in which `python -m` finds the programs."""


def get_sibling(module: str) -> str:
    """Return the full import name of a module of `agents` or `dashboard`."""
    return _PREFIX + module


def __getattr__(name: str) -> Any:
    # Not imported above, because every module of the host imports this one first.
    if name == "TaskManager":
        from .task_manager import TaskManager

        return TaskManager
    if name == "__version__":
        from .version import VERSION

        return VERSION
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
