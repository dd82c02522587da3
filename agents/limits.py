"""Holds the limits on the data that an agent keeps in memory.

settings.py reads them. task_store.py applies them.
"""

from dataclasses import dataclass

DAY_S = 86400.0


@dataclass(frozen=True)
class Limits:
    """The oldest entries beyond a limit are dropped.

    `tasks` and `age_s` apply to finished tasks, and again to tasks that wait for an
    answer. `history` and `replay_*` apply to each task, `total_replay_bytes` to all
    tasks together.
    """

    tasks: int = 1000
    age_s: float = DAY_S
    history: int = 50
    # A progress update takes about 400 bytes: they reach the first limit, artifacts the
    # second.
    replay_updates: int = 2000
    replay_bytes: int = 1024 * 1024
    total_replay_bytes: int = 64 * 1024 * 1024


DEFAULT_LIMITS = Limits()
