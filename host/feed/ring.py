"""The ring: the newest events in memory, as frames that are encoded once for all
readers.

Frames are kept in blocks. Readers that lag behind therefore stop at the same block ends
and share the same bytes.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

from ..model.filter import ALL, Filter, Place

# One send carries one block. Large enough to make the cost of a send small; small
# enough that 1,000 readers can each hold a different block.
BLOCK_BYTES = 128 * 1024
RING_BYTES = 32 * 1024 * 1024


class Frames(NamedTuple):
    """The frames of some events after a cursor. `cursor` is the last event."""

    cursor: int
    data: bytes


class _Block:
    def __init__(self, first: int) -> None:
        self.first = first
        self.frames: list[bytes] = []
        self.places: list[Place] = []
        self.size = 0
        self.whole: bytes | None = None  # The joined frames of a full block.


class Ring:
    """The frames of the events `first` to `head`, without a hole; `size` in bytes."""

    def __init__(self, head: int, max_bytes: int = RING_BYTES) -> None:
        self.head = head
        self._max_bytes = max_bytes
        self.size = 0
        self._blocks = [_Block(head + 1)]
        self._firsts = [head + 1]

    @property
    def first(self) -> int:
        return self._firsts[0]

    def append(self, place: Place, frame: bytes) -> None:
        block = self._blocks[-1]
        if block.size + len(frame) > BLOCK_BYTES and block.frames:
            block = _Block(self.head + 1)
            self._blocks.append(block)
            self._firsts.append(block.first)
        block.frames.append(frame)
        block.places.append(place)
        block.size += len(frame)
        self.size += len(frame)
        self.head += 1
        # One large event can replace many blocks.
        while self.size > self._max_bytes and len(self._blocks) > 1:
            self.size -= self._blocks.pop(0).size
            del self._firsts[0]

    def after(self, cursor: int, where: Filter = ALL) -> Frames | None:
        """Return the frames after `cursor`, up to the end of a block.

        None if `cursor` is too old. The data may be empty: at the head, or if the
        filter matches nothing.
        """
        if cursor >= self.head:
            return Frames(cursor, b"")
        if cursor + 1 < self.first:
            return None
        index = bisect_right(self._firsts, cursor + 1) - 1
        block = self._blocks[index]
        end = block.first + len(block.frames) - 1
        start = cursor + 1 - block.first
        if where != ALL:
            wanted = zip(block.places[start:], block.frames[start:], strict=True)
            return Frames(
                end, b"".join(f for place, f in wanted if where.matches(place))
            )
        if start or index == len(self._blocks) - 1:
            return Frames(end, b"".join(block.frames[start:]))
        if block.whole is None:
            block.whole = b"".join(block.frames)
        return Frames(end, block.whole)
