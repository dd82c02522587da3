"""The host: follows A2A agents, keeps the feed, serves it, passes commands down.

Floors, lowest first: event, board, translate, config · log · ring, cursor · feed,
connection · follower · collector, fanout · stream · gateway, tasks · conductor, guard,
history · app. Each imports only from the floors below it; `import-linter` holds that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from host.tasks import TaskManager

__all__ = ["TaskManager", "__version__"]


def __getattr__(name: str) -> Any:
    # Only who asks for it pays for the import: every module here passes this one.
    if name == "TaskManager":
        from host.tasks import TaskManager

        return TaskManager
    if name == "__version__":
        from host.release import VERSION

        return VERSION
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
