"""Keeps a text in memory, or only the start of a long one: its hash tells it apart."""

from __future__ import annotations

from msgspec import UNSET, Struct
from msgspec.structs import replace

from ..model.event import TaskEvent
from ..model.shorten import count_bytes, cut_text

# Rows that repeat a message have this much of it.
MAX_KEPT_BYTES = 64 * 1024
SHORT_KEPT_BYTES = 1024  # If the texts of the agent's tasks fill their memory.
# Short texts are always whole, and are not counted.
UNCOUNTED = SHORT_KEPT_BYTES // 4  # UTF-8 has at most 4 bytes per character.


class KeptText(Struct, frozen=True, gc=False):
    """`start` is the text, or its start if `size`, the bytes of the whole, is set.

    `length` and `hash` are those of the whole. It equals no text if they are unknown.
    """

    start: str
    length: int
    hash: int
    size: int | None = None

    @property
    def whole_size(self) -> int:
        return count_bytes(self.start) if self.size is None else self.size

    def equals(self, text: str) -> bool:
        if self.size is None:
            return text == self.start
        return len(text) == self.length and hash(text) == self.hash

    def is_part_of(self, text: str) -> bool:
        """Return whether `text` has all of this, and more."""
        if self.size is None:
            return self.start in text and self.start != text
        place = text.find(self.start)
        end = place + self.length
        is_inside = place >= 0 and 0 < self.length < len(text) and end <= len(text)
        return is_inside and hash(text[place:end]) == self.hash

    def contains(self, text: str) -> bool:
        """Return whether this has all of `text`, as far as that is known.

        A shorter text with the same start is a part: messages grow at their end.
        """
        if text in self.start or self.equals(text):
            return True
        is_shorter = self.size is not None and len(text) < self.length
        return is_shorter and text.startswith(self.start)


def keep_text(text: str, *, only_start: bool) -> KeptText:
    """Keep a text up to a limit. `only_start`: keep very little of it."""
    max_bytes = SHORT_KEPT_BYTES if only_start else MAX_KEPT_BYTES
    start = text if len(text) <= UNCOUNTED else cut_text(text, max_bytes)
    size = None if start is text else count_bytes(text)
    return KeptText(start, len(text), hash(text), size)


def whole_size(row: TaskEvent) -> int | None:
    """Return the bytes of the row's whole message if the row has only its start."""
    return None if row.shortened is UNSET else row.shortened.get("message")


def with_kept(row: TaskEvent, kept: KeptText) -> TaskEvent:
    """Return the row with as much of its message as is kept."""
    if row.message is kept.start:
        return row
    sizes = {} if row.shortened is UNSET else row.shortened
    if kept.size is not None:
        sizes = {**sizes, "message": kept.size}
    return replace(row, message=kept.start, shortened=sizes or UNSET)
