"""Holds one artifact in the feed, whole or as a hash."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from ..model.shorten import count_bytes, cut_text
from .artifact_parts import has_all_parts, new_parts
from .parts_digest import PartsDigest

# Above these, the host keeps the hash of an artifact instead of its parts.
MAX_TASK_BYTES = 8 * 1024 * 1024
MAX_AGENT_BYTES = 12 * 1024 * 1024
MAX_HASHED_BYTES = 24 * 1024 * 1024  # With the hashes, and artifacts that do not grow.
SMALL_BYTES = 4 * 1024  # Smaller artifacts keep their parts: a hash is not small.
MAX_START_BYTES = 64 * 1024  # The start of a task's texts is kept for its result.
MAX_END_CHARS = 8 * 1024  # To find a chunk that a stream repeats.
HASH_OVERHEAD = 768  # A hashed artifact in memory, without its texts.
PART_OVERHEAD = 256  # A part in memory, without its content.


class RecordMemory:
    """Counts the bytes that one agent's open tasks use in memory.

    `bytes` are those of artifacts, `texts` of messages, `notes` of the message ids and
    statuses, and `held` of updates that wait for the end of their task.
    """

    def __init__(self) -> None:
        self.bytes = self.texts = self.notes = self.held = 0


@dataclass
class ArtifactRecord:
    """One artifact in the feed: its parts so far, and whether it is complete.

    `earlier` are the hashes of the contents that it has replaced. `bytes` is its memory
    that is counted. With `digest`, the parts are not kept, only the `start` and the
    `end` of their texts.
    """

    parts: list[dict[str, Any]]
    name: str | None = None
    is_whole: bool = False
    earlier: frozenset[int] = field(default=frozenset(), compare=False)
    bytes: int = field(default=0, compare=False)
    digest: PartsDigest | None = None
    start: str = ""
    end: str = field(default="", compare=False)
    _left_out_bytes: int = field(default=0, compare=False)
    _start_room: int = field(default=0, compare=False)

    def add(self, parts: list[dict[str, Any]]) -> None:
        if self.digest is None:
            self.parts.extend(parts)
            return
        self.digest.add(parts)
        for text in _texts(parts):
            start = cut_text(text, self._start_room)
            self.start += start
            self._start_room -= count_bytes(start)
            self._left_out_bytes += count_bytes(text) - count_bytes(start)
            self.end = (self.end + text[-MAX_END_CHARS:])[-MAX_END_CHARS:]

    def replace_by_digest(self, start_bytes: int) -> None:
        """Forget the parts, except for the first `start_bytes` of their texts."""
        parts, self.parts = self.parts, []
        self.digest, self._start_room = PartsDigest(), start_bytes
        self.add(parts)

    def copy(self) -> ArtifactRecord:
        digest = self.digest.copy() if self.digest else None
        return replace(self, parts=list(self.parts), digest=digest)

    def is_same(self, other: ArtifactRecord) -> bool:
        """Return whether `other`, which has its parts, is the same artifact."""
        if (self.name, self.is_whole) != (other.name, other.is_whole):
            return False
        if self.digest:
            return self.digest.equals(other.parts)
        return self.parts == other.parts

    def new_parts(self, current: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
        """Return the parts of `current` that the feed does not have.

        None if the artifact has changed, so that only all of it will do.
        """
        if self.digest:
            return self.digest.new_parts(current)
        return new_parts(self.parts, current)

    def is_in(self, current: list[dict[str, Any]]) -> bool:
        """Return whether `current` has all parts, with or without more parts."""
        if self.digest is None:
            return has_all_parts(self.parts, current)
        return bool(self.digest.new_parts(current)) or self.digest.equals(current)

    @property
    def text_bytes(self) -> int:
        kept = count_bytes(self.start) + self._left_out_bytes
        return kept + sum(count_bytes(text) for text in _texts(self.parts))

    def read_text(self, max_bytes: int) -> str:
        """Return the start of its text, at most `max_bytes`."""
        if self.digest:
            return cut_text(self.start, max_bytes)
        texts, size = [], 0
        for text in _texts(self.parts):
            if size >= max_bytes:
                break
            texts.append(cut_text(text, max_bytes))
            size += len(text)
        # Chunks of one artifact carry their own spaces and line ends.
        return cut_text("".join(texts), max_bytes)

    def count_memory(self) -> int:
        """Return its memory, roughly."""
        if self.digest is None:
            return count_memory(self.parts)
        return HASH_OVERHEAD + sys.getsizeof(self.start) + sys.getsizeof(self.end)


def count_memory(parts: list[dict[str, Any]]) -> int:
    """Return the memory of parts, roughly."""
    size = PART_OVERHEAD * len(parts)
    for part in parts:
        text = part.get("text")
        # A text may have up to 4 bytes per character in memory.
        size += sys.getsizeof(text) if text else len(msgspec.json.encode(part))
    return size


def _texts(parts: list[dict[str, Any]]) -> Iterator[str]:
    return (part["text"] for part in parts if part.get("text"))
