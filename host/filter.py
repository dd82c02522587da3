"""Owns the four filters of a reader: which events it wants.

Logs and the feed ask `wants`; the stream reads a filter from a query string.
"""

from __future__ import annotations

from typing import NamedTuple


class Filter(NamedTuple):
    """Any of the named agents, tasks, contexts and kinds; an empty set is all."""

    agent: frozenset[str] = frozenset()
    task: frozenset[str] = frozenset()
    context: frozenset[str] = frozenset()
    kind: frozenset[str] = frozenset()

    def wants(
        self, agent: str, task: str | None, context: str | None, kind: str
    ) -> bool:
        return (
            (not self.agent or agent in self.agent)
            and (not self.task or task in self.task)
            and (not self.context or context in self.context)
            and (not self.kind or kind in self.kind)
        )


ALL = Filter()
