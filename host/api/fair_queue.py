"""A queue in which owners take turns: one with many items does not delay the others."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """Each owner's items stay in order. `pop` takes one item of each owner in turn."""

    def __init__(self) -> None:
        # The next owner is first. A dict would be slow to find it.
        self._items: OrderedDict[str, deque[Item]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._items)

    def add(self, owner: str, item: Item) -> None:
        self._items.setdefault(owner, deque()).append(item)

    def pop(self) -> tuple[str, Item]:
        """Return the next owner and its oldest item. Raises KeyError if empty."""
        owner, items = self._items.popitem(last=False)
        item = items.popleft()
        if items:
            self._items[owner] = items
        return owner, item
