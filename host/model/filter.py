"""The filter of a reader: which events it gets."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """The fields of an event that a filter checks."""

    agent: str
    task: str | None
    context: str | None
    kind: str


class Filter(NamedTuple):
    """Sets of agents, tasks, contexts and kinds. An empty set matches all."""

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
