"""Stands for the parts of an artifact that is too large to keep: their size and hash.

It still tells which parts are new. Chunks of text may be as they were sent, or joined.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any

import msgspec

Part = dict[str, Any]
Parts = list[Part]
# UTF-8 has no such bytes.
TEXT_BEGINS, OTHER_BEGINS = b"\xfe", b"\xff"


class PartsDigest:
    def __init__(self) -> None:
        self.size = 0
        self._hash = blake2b(digest_size=16)
        self._fields: bytes | None = None  # Of the last part, if it is a text.

    def add(self, parts: Iterable[Part]) -> None:
        for part in parts:
            for data in self._pieces(part):
                self._update(data)

    def copy(self) -> PartsDigest:
        copy = PartsDigest()
        copy.size, copy._hash = self.size, self._hash.copy()
        copy._fields = self._fields
        return copy

    def equals(self, parts: Parts) -> bool:
        other = PartsDigest()
        other.add(parts)
        return other._value == self._value

    def new_parts(self, current: Parts) -> Parts | None:
        """Return the parts of `current` after these, or None if these have changed.

        Empty if `current` is smaller: the agent kept less than it sent.
        """
        start = PartsDigest()
        for place, part in enumerate(current):
            if start.size == self.size:
                is_same = start._value == self._value
                # Without empty texts, which leave no trace here.
                rest = [each for each in current[place:] if each.get("text") != ""]
                return rest if is_same else None
            for data in start._pieces(part):
                room = self.size - start.size
                start._update(data[:room])
                if len(data) > room:
                    end = _cut(part, data[room:])
                    is_same = start._value == self._value
                    return [end, *current[place + 1 :]] if is_same and end else None
        return None if start.size == self.size and start._value != self._value else []

    @property
    def _value(self) -> bytes:
        return self._hash.digest()

    def _update(self, data: bytes) -> None:
        self._hash.update(data)
        self.size += len(data)

    def _pieces(self, part: Part) -> Iterator[bytes]:
        text = part.get("text")
        if not isinstance(text, str):
            self._fields = None
            yield OTHER_BEGINS + msgspec.json.encode(part, order="sorted")
            return
        fields = msgspec.json.encode({**part, "text": ""}, order="sorted")
        if not text:
            return
        if fields != self._fields:
            self._fields = fields
            yield TEXT_BEGINS + fields + TEXT_BEGINS
        yield text.encode()


def _cut(part: Part, rest: bytes) -> Part | None:
    """Return the end of a text part, or None if `rest` is not an end of its text."""
    text = part.get("text")
    if not isinstance(text, str) or not text.encode().endswith(rest):
        return None
    try:
        return {**part, "text": rest.decode()}
    except UnicodeDecodeError:
        return None
