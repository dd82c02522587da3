"""Owns the four filters of a reader: which events it wants.

Logs and the feed ask `wants`; the stream reads a filter from a query string.
"""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """Where an event belongs: what a filter looks at."""

    agent: str
    task: str | None
    context: str | None
    kind: str


class Filter(NamedTuple):
    """Any of the named agents, tasks, contexts and kinds; an empty set is all."""

    agent: frozenset[str] = frozenset()
    task: frozenset[str] = frozenset()
    context: frozenset[str] = frozenset()
    kind: frozenset[str] = frozenset()

    def matches_kind(self, kind: str) -> bool:
        return not self.kind or kind in self.kind

    def matches(self, place: Place) -> bool:
        return all(
            not wanted or value in wanted
            for wanted, value in zip(self, place, strict=True)
        )


ALL = Filter()
