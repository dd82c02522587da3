"""Callbacks for new events of the feed, all events or those of some tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from ..log.contract import Row

Listener = Callable[[Row | None], None]


class Listeners:
    def __init__(self) -> None:
        # By task id. The key None has the listeners for every event.
        self._by_task: dict[str | None, dict[Listener, None]] = {}
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._by_task)

    @contextmanager
    def listen(self, tasks: Iterable[str], listener: Listener) -> Iterator[None]:
        """Call `listener` for each published event of these tasks; without tasks, for
        every event. Call it with None when the feed closes.
        """
        keys: list[str | None] = [*tasks] or [None]
        for key in keys:
            self._by_task.setdefault(key, {})[listener] = None
        if self._is_closed:
            listener(None)
        try:
            yield
        finally:
            for key in keys:
                del self._by_task[key][listener]
                if not self._by_task[key]:
                    del self._by_task[key]

    def notify(self, row: Row) -> None:
        if self._by_task:
            for key in {row.place.task, None}:
                for listener in self._by_task.get(key, ()):
                    listener(row)

    def close(self) -> None:
        self._is_closed = True
        for listeners in self._by_task.values():
            for listener in listeners:
                listener(None)
