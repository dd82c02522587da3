"""Counts the readers of the live feed, so that an agent is polled fast while somebody
watches it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..model.filter import Filter


class Audience:
    def __init__(self) -> None:
        # By agent name. The key None counts the readers of every agent.
        self._readers: Counter[str | None] = Counter()
        self._callbacks: dict[Callable[[], None], None] = {}

    def watches(self, agent: str) -> bool:
        """Return whether a reader gets the events of this agent."""
        return self._readers[None] > 0 or self._readers[agent] > 0

    @contextmanager
    def join(self, where: Filter) -> Iterator[None]:
        """Count a reader with this filter while the block runs."""
        names: list[str | None] = [*where.agent] or [None]
        self._readers.update(names)
        for callback in list(self._callbacks):
            callback()
        try:
            yield
        finally:
            self._readers.subtract(names)
            for name in names:
                if not self._readers[name]:
                    del self._readers[name]

    @contextmanager
    def call_at_join(self, callback: Callable[[], None]) -> Iterator[None]:
        """Call `callback` for each new reader while the block runs."""
        self._callbacks[callback] = None
        try:
            yield
        finally:
            del self._callbacks[callback]
