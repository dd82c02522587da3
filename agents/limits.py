"""Owns how much an agent keeps, and for how long.

__main__.py reads what can be set; store.py and card.py go by it.
"""

from dataclasses import dataclass

DAY_S = 86400.0


@dataclass(frozen=True)
class Limits:
    """Beyond them the oldest goes first.

    `tasks` and `age_s` hold for those that are over, and as much again for those that
    wait for somebody. `history` and the tape's limits are each task's: a tick takes
    some 400 bytes, so ticks reach `tape_updates` first and artifacts `tape_bytes`. All
    tapes together have `tapes_bytes`; beyond it tasks that are over lose theirs.
    """

    tasks: int = 1000
    age_s: float = DAY_S
    history: int = 50
    tape_updates: int = 2000
    tape_bytes: int = 1024 * 1024
    tapes_bytes: int = 64 * 1024 * 1024


DEFAULT_LIMITS = Limits()
