"""The public names of Courtside: `from courtside import TaskManager`.

In the wheel, this package contains the three programs: `courtside.host`,
`courtside.agents` and `courtside.dashboard`. In a clone they are beside it, as `host`,
`agents` and `dashboard` (docs/decisions/0008-one-package-in-the-wheel.md).
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # For type checkers of users: these modules exist only in the wheel.
    from .host import TaskManager, __version__  # type: ignore[import-not-found]
    from .host.errors import CourtsideError  # type: ignore[import-not-found]

__all__ = ["CourtsideError", "TaskManager", "__version__"]

HOST = f"{__name__}.host" if find_spec(f"{__name__}.host") else "host"
"""The import name of the host."""
MODULES = {
    "CourtsideError": f"{HOST}.errors",
    "TaskManager": f"{HOST}.task_manager",
    "__version__": HOST,
}


def __getattr__(name: str) -> Any:
    # Imported on first use, because the command line does not need TaskManager.
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(MODULES[name]), name)
